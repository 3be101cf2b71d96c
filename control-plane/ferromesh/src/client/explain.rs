//! `ferromesh explain`: where a request would go, and why not elsewhere.

mod text;

use serde_json::json;

use super::{http::Client, output, Connection, Format, MeshName, WHICH_MESH};
use crate::exit::Exit;

/// The flags of `ferromesh explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Who sends the request: a virtual node, or the virtual gateway that it arrives at; `gateway` is the only one
    #[arg(long, value_name = "NODE|GATEWAY")]
    from: String,
    /// What is called: http://host[:port]/path, https://… or tcp://host:port
    #[arg(long)]
    url: String,
    /// Method of the request
    #[arg(short = 'X', long, default_value = "GET")]
    method: String,
    /// A header of the request; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Address that the request comes from, for canaries that go by it
    #[arg(long, value_name = "IP")]
    source: Option<std::net::IpAddr>,
    /// When it is sent, in milliseconds since 1970-01-01 UTC, for canaries on a ramp [default: now]
    #[arg(long, value_name = "MILLIS")]
    at_unix_millis: Option<u64>,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    format: Format,
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("it is not like 'name: value'".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Some(mesh) = &arguments.mesh.name else {
        return Ok(Exit::usage([WHICH_MESH]));
    };
    let client = Client::new(&arguments.connection)?;
    let headers: Vec<_> = arguments
        .headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let mut question = json!({
        "mesh": mesh,
        "from": arguments.from,
        "url": arguments.url,
        "method": arguments.method,
        "headers": headers,
    });
    if let Some(source) = arguments.source {
        question["source"] = json!(source);
    }
    if let Some(millis) = arguments.at_unix_millis {
        question["atUnixMillis"] = json!(millis);
    }
    let answered = client.ask("/v1/explain", &question).await;
    output::finish(answered, "", |explanation| match arguments.format.output {
        output::Form::Table => output::write(&text::text(explanation)),
        form => output::print(form, explanation, || output::Table::new(&[])),
    })
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn headers_are_written_as_curl_takes_them() {
        assert_eq!(header("X-V: 1"), Ok(("X-V".to_owned(), "1".to_owned())));
        assert_eq!(header("a:b:c"), Ok(("a".to_owned(), "b:c".to_owned())));
        assert_eq!(header("a:"), Ok(("a".to_owned(), String::new())));
        assert!(header("a").is_err());
        assert!(header(": a").is_err());
    }
}
