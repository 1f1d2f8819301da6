//! Prints the user whom the server greets by a token: `tonic-client URL TOKEN`. With the word `hold` at the end,
//! stays connected, and prints why the stream ended.

use std::error::Error;

use host_tonic::Empty;
use host_tonic::greeter_client::GreeterClient;
use tonic::{Request, Status};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, token, hold @ ..] = arguments.as_slice() else {
        return Err("tonic-client URL TOKEN [hold]".into());
    };
    let mut client = GreeterClient::connect(url.clone()).await?;
    let request = || -> Result<_, Box<dyn Error>> {
        let mut request = Request::new(Empty {});
        let bearer = format!("Bearer {token}").parse()?;
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    };
    if hold.is_empty() {
        match client.greet(request()?).await {
            Ok(greeting) => println!("{}", greeting.get_ref().user),
            Err(status) => println!("{}", reason(&status)),
        }
        return Ok(());
    }
    let mut greetings = client.watch(request()?).await?.into_inner();
    let mut is_first = true;
    loop {
        match greetings.message().await {
            Ok(Some(greeting)) if is_first => println!("{}", greeting.user),
            Ok(Some(_)) => {}
            Ok(None) => return Err("an end without a status".into()),
            Err(status) => {
                println!("{}", reason(&status));
                return Ok(());
            }
        }
        is_first = false;
    }
}

fn reason(status: &Status) -> String {
    format!("refused: {:?}", status.code())
}
