//! Tokens that a token creates while it is revoked.

use futures_util::future::join_all;
use pat_core::settings::{CreateByToken, SettingsBuilder};
use pat_core::testing::TestDirectory;
use pat_core::{Caller, CreateError, CreatedToken, Owner, PolicyError};
use pat_servers::environment::number;
use pat_servers::galera::Cluster;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::{Node, caller, close, nodes, overtake, settings};

/// In which way tokens end.
#[derive(Debug, Clone, Copy)]
enum End {
    Owner,
    Administrator,
    Deletion,
}

use End::{Administrator, Deletion, Owner as ByOwner};

const ENDS: [End; 3] = [ByOwner, Administrator, Deletion];

fn capped() -> SettingsBuilder {
    settings()
        .create_by_token(CreateByToken::Capped)
        .max_tokens_per_user(1_000)
}

/// Tokens of different owners, all revoked at once by an administrator, and otherwise the first.
struct Family {
    owners: Vec<Owner>,
    parents: Vec<CreatedToken>,
}

impl Family {
    async fn new(node: &Node, users: &TestDirectory, name: &str, end: End) -> Self {
        let count = if matches!(end, Administrator) { 3 } else { 1 };
        let owners = (0..count).map(|number| users.add(&format!("{name}-{number}")));
        let owners: Vec<_> = owners.collect();
        let mut parents = vec![];
        for owner in &owners {
            parents.push(node.create(&caller(owner)).await.expect("a token"));
        }
        Self { owners, parents }
    }

    async fn end(&self, node: &Node, admin: &Caller, end: End) {
        let (owner, parent) = (&self.owners[0], &self.parents[0]);
        match end {
            ByOwner => {
                let revocation = node.pats.revoke(&caller(owner), parent.token.id).await;
                revocation.expect("a revocation");
            }
            Administrator => {
                let ids = self.parents.iter().map(|parent| parent.token.id).collect();
                let administration = node.pats.administration(admin).await;
                let administration = administration.expect("an administrator");
                let revoked = administration.revoke(ids, None).await;
                assert!(revoked.expect("a revocation") >= 3);
            }
            Deletion => {
                let deletion = node.pats.user_deleted(owner).await;
                assert!(deletion.expect("a deletion") >= 1);
            }
        }
    }
}

/// Creations by tokens on two members, and their revocation on the third one meanwhile.
/// `PAT_TEST_GALERA_ROUNDS` makes it longer.
pub(super) async fn no_child_outlives_its_parents_revocation(cluster: Cluster) {
    let rounds: usize = number("PAT_TEST_GALERA_ROUNDS", 4);
    let users = TestDirectory::default();
    let admin = caller(&users.add_administrator("admin"));
    let nodes = nodes(&cluster, &users, capped()).await;
    let before = cluster.conflicts().await;
    let (mut born, mut outlived) = (0, 0);
    for round in 0..rounds * ENDS.len() {
        let end = ENDS[round % ENDS.len()];
        let family = Family::new(&nodes[2], &users, &format!("user-{round}"), end).await;
        let (send, mut first_births) = mpsc::unbounded_channel();
        let mut creators = vec![];
        for node in &nodes[..2] {
            for parent in &family.parents {
                let holder = node.holder(parent).await;
                for _ in 0..3 {
                    let (node, holder) = (node.clone(), holder.clone());
                    let children = create_until_refused(node, holder, send.clone());
                    creators.push(tokio::spawn(children));
                }
            }
        }
        for _ in 0..creators.len() / 2 {
            first_births.recv().await.expect("a child");
        }
        family.end(&nodes[2], &admin, end).await;
        for children in join_all(creators).await {
            let children = children.expect("no panic");
            born += children.len();
            for child in children {
                outlived += usize::from(nodes[round % 3].is_live(&child).await);
            }
        }
        assert_eq!(outlived, 0, "round {round}, {end:?}");
    }
    let conflicts = cluster.conflicts().await - before;
    println!(
        "galera: {born} children were born before their parent's end, {outlived} outlived it; \
         {conflicts} conflicts"
    );
    close(nodes).await;
}

/// The children of a token, until it may have no more.
async fn create_until_refused(
    node: Node,
    holder: Caller,
    first: UnboundedSender<()>,
) -> Vec<CreatedToken> {
    let mut children = vec![];
    loop {
        match node.create(&holder).await {
            Ok(child) => children.push(child),
            Err(error) => {
                assert!(is_refused(&error), "{error:?}");
                return children;
            }
        }
        if children.len() == 1 {
            // Once they are enough, nobody listens.
            let _enough = first.send(());
        }
    }
}

fn is_refused(error: &CreateError) -> bool {
    matches!(error, CreateError::Refused(PolicyError::ParentInvalid))
}

pub(super) async fn no_child_is_created_where_its_parents_revocation_is_not_yet_applied(
    cluster: Cluster,
) {
    let users = TestDirectory::default();
    let admin = caller(&users.add_administrator("admin"));
    let nodes = nodes(&cluster, &users, capped()).await;
    for end in ENDS {
        let family = Family::new(&nodes[2], &users, &format!("{end:?}"), end).await;
        for parent in &family.parents[family.parents.len() - 1..] {
            let (node, holder) = (nodes[0].clone(), nodes[0].holder(parent).await);
            let creation = async move { node.create(&holder).await };
            let end = family.end(&nodes[1], &admin, end);
            let (child, ()) = Box::pin(overtake(&cluster, "pat_last_used", creation, end)).await;
            assert!(is_refused(&child.expect_err("a child of a revoked token")));
        }
    }
    close(nodes).await;
}
