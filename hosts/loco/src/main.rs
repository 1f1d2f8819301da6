//! A host with loco, whose users are in a table of SeaORM 2 and have sessions of tower-sessions.

mod migration;
mod user;

use std::path::Path;

use async_trait::async_trait;
use axum::extract::{Form, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use loco_rs::Result;
use loco_rs::app::{AppContext, Hooks};
use loco_rs::bgworker::Queue;
use loco_rs::boot::{BootResult, ServeParams, StartMode, create_app, shutdown_signal};
use loco_rs::config::Config;
use loco_rs::controller::{AppRoutes, Routes};
use loco_rs::environment::Environment;
use loco_rs::errors::Error;
use loco_rs::task::Tasks;
// pat
use pat_core::{Caller, Pats};
use pat_tower::api::Api;
use pat_tower::{PatLayer, SignedIn, TowerSessions};
// end
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use self::migration::Migrator;

#[tokio::main]
async fn main() -> Result<()> {
    loco_rs::cli::main::<App, Migrator>().await
}

struct App;

#[async_trait]
impl Hooks for App {
    fn app_name() -> &'static str {
        env!("CARGO_CRATE_NAME")
    }

    async fn boot(
        mode: StartMode,
        environment: &Environment,
        config: Config,
    ) -> Result<BootResult> {
        create_app::<Self, Migrator>(mode, environment, config).await
    }

    fn routes(_: &AppContext) -> AppRoutes {
        AppRoutes::empty().add_route(Routes::new().add("/login", post(login)))
    }

    /// In place of `after_routes` and `on_shutdown`: loco calls the latter before the last requests have
    /// been answered.
    async fn serve(app: axum::Router, ctx: &AppContext, params: &ServeParams) -> Result<()> {
        // pat
        let store = pat_sqlx::connect(&ctx.config.database.uri).await.map_err(Error::wrap)?;
        let pats = Pats::builder(store.tokens()).build();
        let jobs = pats.start();
        // end
        let app = app
            // pat
            .route("/whoami", get(async |SignedIn(user): SignedIn| user.owner().to_string()))
            .nest("/rest/pat/latest", Api::new(pats.clone()).router())
            // end
            .layer(from_fn(current_user))
            // pat
            .layer(PatLayer::optional(pats).with_session_invalidator(TowerSessions))
            // end
            .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false));
        let address = (params.binding.as_str(), u16::try_from(params.port).map_err(Error::wrap)?);
        let listener = TcpListener::bind(address).await?;
        println!("Listening on http://{}", listener.local_addr()?);
        axum::serve(listener, app).with_graceful_shutdown(shutdown_signal()).await?;
        // pat
        jobs.shutdown().await;
        // end
        Ok(())
    }

    async fn connect_workers(_: &AppContext, _: &Queue) -> Result<()> {
        Ok(())
    }

    fn register_tasks(_: &mut Tasks) {}

    async fn truncate(_: &AppContext) -> Result<()> {
        Ok(())
    }

    async fn seed(_: &AppContext, _: &Path) -> Result<()> {
        Ok(())
    }
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

/// The app's sign-in, which would ask for a password.
async fn login(
    State(ctx): State<AppContext>,
    session: Session,
    Form(login): Form<Login>,
) -> Result<(), StatusCode> {
    let user = user::Entity::find().filter(user::Column::Name.eq(login.user)).one(&ctx.db).await;
    let user = user.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let user = user.ok_or(StatusCode::FORBIDDEN)?;
    session.cycle_id().await.map_err(unavailable)?;
    session.insert("user", user.name).await.map_err(unavailable)
}

/// Finds out who is signed in.
async fn current_user(
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let user = session.get("user").await.map_err(unavailable)?;
    // pat
    if let Some(owner) = user {
        request.extensions_mut().insert(Caller::cookie_authenticated(owner));
    }
    // end
    Ok(next.run(request).await)
}

fn unavailable(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
