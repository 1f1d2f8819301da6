//! Prints what the tool `whoami` of an MCP server says to the holder of a token: `mcp-client URL TOKEN`. With the
//! word `hold` at the end, keeps its session, calls the tool until that fails, and prints why.

use std::error::Error;
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, token, hold @ ..] = arguments.as_slice() else {
        return Err("mcp-client URL TOKEN [hold]".into());
    };
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{url}/mcp"));
    let transport = StreamableHttpClientTransport::from_config(config.auth_header(token));
    let client = match ().serve(transport).await {
        Ok(client) => client,
        Err(error) => {
            println!("refused: {error:?}");
            return Ok(());
        }
    };
    let mut is_first = true;
    loop {
        match client.call_tool(CallToolRequestParams::new("whoami")).await {
            Ok(result) if is_first => {
                let text = result.content.first().and_then(|content| content.as_text());
                println!("{}", text.ok_or("no text")?.text);
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => {
                println!("refused: {error:?}");
                return Ok(());
            }
        }
        is_first = false;
        if hold.is_empty() {
            client.cancel().await?;
            return Ok(());
        }
    }
}
