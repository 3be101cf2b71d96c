//! The clients that App Mesh's users have, unmodified, against a running control plane: the `aws` command line, boto3, and
//! the SDKs for Rust and JavaScript. One table of calls for all of them: `steps.yaml`.

mod client;
mod command_line;
mod model;
mod refusals;
mod table;
mod terraform;
mod walk;

use client::Client;

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_walks_all_operations() {
    walk::walk(Client::CommandLine).await.expect("the walk");
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_walks_all_operations() {
    walk::walk(Client::Boto3).await.expect("the walk");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_walks_all_operations() {
    walk::walk(Client::JavaScript).await.expect("the walk");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_sdk_walks_all_operations() {
    walk::walk(Client::Rust).await.expect("the walk");
}
