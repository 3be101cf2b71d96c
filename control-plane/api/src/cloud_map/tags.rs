//! Operations on tags.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{json, Value};

use super::input;
use crate::appmesh::Scene;
use crate::registry::{tags, Refused};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(rename = "ResourceARN")]
    arn: String,
}

pub(super) fn list(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let List { arn } = input::read(body)?;
    let tags = tags::list(scene, &arn)?.into_iter();
    let tags = tags.map(|tag| json!({ "Key": tag.key, "Value": tag.value }));
    Ok(json!({ "Tags": tags.collect::<Vec<_>>() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(rename = "Tags")]
    tags: Vec<input::Tag>,
}

pub(super) fn tag(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Add { arn, tags } = input::read(body)?;
    tags::change(scene, &arn, &input::tags(tags), &[])?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(rename = "TagKeys")]
    keys: Vec<String>,
}

pub(super) fn untag(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Remove { arn, keys } = input::read(body)?;
    tags::change(scene, &arn, &[], &keys)?;
    Ok(json!({}))
}
