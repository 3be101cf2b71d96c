//! `ferromesh key`: keys that clients sign with, tokens, and what those may do who have them.

mod bindings;
mod offline;

use std::path::PathBuf;

use ferromesh_api::Binding;
use serde_json::{json, Value};

use super::{
    http::{CallError, Client},
    output::{self, Form, Table},
    paths, selection, Connection, Query,
};
use crate::{
    exit::Exit,
    store::{Choice, EtcdFile, StoreFlags},
    timestamp::rfc3339,
};

/// The flags of `ferromesh key`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Make a key for a principal; its secret is shown once
    Create(Box<Create>),
    /// List keys, without their secrets
    List(Query),
    /// Take a key again that was disabled
    Enable(One),
    /// Take a key no more, until it is enabled
    Disable(One),
    /// Delete a key
    Delete(One),
    /// Say what a principal may do, instead of what was said before
    Bind(Bind),
}

#[derive(Clone, Debug, clap::Args)]
struct Create {
    /// Name that the key is for
    #[arg(long, value_name = "NAME")]
    principal: String,
    /// What the principal may do: ROLE, ROLE:MESH or ROLE:MESH:KIND,…; roles are reader, operator and admin, a mesh may be a
    /// pattern like shop-*; may be given several times [default: what it may do already]
    #[arg(long, value_name = "ROLE[:MESH[:KINDS]]", value_parser = bindings::read)]
    bind: Vec<Binding>,
    /// Account that the principal acts for, 12 digits [default: the server's own; with --data 123456789012]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Make a token instead of an access key
    #[arg(long)]
    bearer: bool,
    /// Days until the key is not taken any more [default: for ever]
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u32>,
    /// Make the key in this data folder, without a server
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// With --data: file with the keys that secrets are sealed with [default: certificates/secret.key in the data folder]
    #[arg(long, value_name = "FILE", env = "FERROMESH_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    query: Query,
}

#[derive(Clone, Debug, clap::Args)]
struct One {
    /// Id of the key
    id: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Debug, clap::Args)]
struct Bind {
    /// The principal
    principal: String,
    /// What it may do, as for create
    #[arg(long, value_name = "ROLE[:MESH[:KINDS]]", value_parser = bindings::read, required = true)]
    bind: Vec<Binding>,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, the data folder cannot be opened, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.action {
        Action::Create(create) => self::create(&create).await,
        Action::List(query) => query.show("/v1/keys", "", table).await,
        Action::Enable(one) => turn(&one, "enable", "enabled").await,
        Action::Disable(one) => turn(&one, "disable", "disabled").await,
        Action::Delete(one) => {
            let path = format!("/v1/keys/{}", paths::component(&one.id));
            let answer = Client::new(&one.connection)?.delete(&path).await;
            output::finish(answer, "", |_| output::write(&format!("key {} deleted\n", one.id)))
        }
        Action::Bind(bind) => {
            let path = format!("/v1/principals/{}", paths::component(&bind.principal));
            let body = json!({ "bindings": bind.bind });
            let answer = Client::new(&bind.connection)?.put(&path, &body).await;
            output::finish(answer, "", |_| {
                output::write(&format!("principal {} bound\n", bind.principal))
            })
        }
    }
}

async fn create(create: &Create) -> anyhow::Result<Exit> {
    let answer = match &create.data {
        Some(folder) => {
            let choice = match Choice::decide(create.store.clone(), None, EtcdFile::default()) {
                Ok(choice) => choice,
                Err(problems) => return Ok(Exit::usage(problems)),
            };
            let (folder, named, new) = (folder.clone(), create.secret_key_file.clone(), create.wanted());
            let made = tokio::task::spawn_blocking(move || offline::create(&choice, &folder, named.as_deref(), &new));
            let made = made.await??;
            made.map_err(|error| CallError::Unsendable(error.to_string()))
        }
        None => {
            let body = create.body();
            Client::new(&create.query.connection)?.ask("/v1/keys", &body).await
        }
    };
    if create.query.format.output != Form::Table {
        return create.query.finish(answer, "", table);
    }
    output::finish(answer, "", |answer| {
        let text = |member| selection::text(answer, member).unwrap_or_default();
        let (id, secret) = (text("id"), text("secret"));
        output::write(&if create.bearer {
            format!("FERROMESH_TOKEN={secret}\n")
        } else {
            format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n")
        })?;
        eprintln!(
            "key {id} of {} made; this is the only time that its secret is shown",
            create.principal
        );
        Ok(())
    })
}

impl Create {
    fn wanted(&self) -> ferromesh_api::NewKey {
        ferromesh_api::NewKey {
            principal: self.principal.clone(),
            bindings: self.bind.clone(),
            account: self.account.clone(),
            bearer: self.bearer,
            expires_in_days: self.expires_in_days,
        }
    }

    fn body(&self) -> Value {
        let mut body = json!({ "principal": self.principal, "bearer": self.bearer, "bindings": self.bind });
        if let Some(account) = &self.account {
            body["account"] = json!(account);
        }
        if let Some(days) = self.expires_in_days {
            body["expiresInDays"] = json!(days);
        }
        body
    }
}

async fn turn(one: &One, verb: &str, done: &str) -> anyhow::Result<Exit> {
    let path = format!("/v1/keys/{}/{verb}", paths::component(&one.id));
    let answer = Client::new(&one.connection)?.post(&path).await;
    output::finish(answer, "", |_| output::write(&format!("key {} {done}\n", one.id)))
}

fn table(answer: &Value) -> Table {
    let mut table = Table::new(&["PRINCIPAL", "ID", "TYPE", "STATE", "CREATED", "EXPIRES", "MAY"]);
    for key in answer.get("keys").and_then(Value::as_array).into_iter().flatten() {
        let text = |member| selection::text(key, member).unwrap_or_default().to_owned();
        let time = |member| key.get(member).and_then(Value::as_f64).map(rfc3339).unwrap_or_default();
        table.row([
            text("principal"),
            text("id"),
            text("type"),
            text("state"),
            time("createdAt"),
            time("expiresAt"),
            bindings::show(key),
        ]);
    }
    table
}
