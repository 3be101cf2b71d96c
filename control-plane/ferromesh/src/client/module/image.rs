//! A module as an OCI image, in the two layouts that Istio and Envoy Gateway take.
//!
//! Both fetchers are the same code at heart and follow the Wasm image specification (`spec.md` and
//! `spec-compat.md` of `solo-io/wasm`): first they look for a last layer of type
//! `application/vnd.oci.image.layer.v1.tar+gzip` that holds `plugin.wasm`; failing that for exactly two layers,
//! one of which has the type `application/vnd.module.wasm.content.layer.v1+wasm` and is the module itself
//! (`pkg/wasm/imagefetcher.go` of Istio 1.32, `internal/wasm/imagefetcher.go` of Envoy Gateway 1.9).

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::file::hexadecimal;

/// Type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Type of an image's configuration.
pub const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Type of an image's layer.
pub const IMAGE_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Type of the description of a module's runtime.
pub const MODULE_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
/// Type of a layer that is the module itself.
pub const MODULE_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// The file that a `compat` layer holds.
pub const FILE_NAME: &str = "plugin.wasm";

/// The name of a file to tools that write layers to files, such as `oras pull`.
const TITLE: &str = "org.opencontainers.image.title";

/// How a module lies in a registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// An image with one layer that holds plugin.wasm: every registry and every consumer takes it.
    #[default]
    Compat,
    /// An artifact whose layers are the module's description and the module itself.
    Artifact,
}

/// An image, ready to be sent.
#[derive(Clone, Debug)]
pub struct Image {
    /// Configuration and layers, each digest once.
    pub blobs: Vec<Blob>,
    /// The manifest's JSON.
    pub manifest: Bytes,
    /// `sha256:…` of the manifest: the image's name by content.
    pub digest: String,
}

/// Bytes that a manifest refers to.
#[derive(Clone, Debug)]
pub struct Blob {
    /// `sha256:…`
    pub digest: String,
    /// The bytes.
    pub bytes: Bytes,
}

// Structs and not free JSON, because the order of members is part of the digest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, &'static str>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, &'static str>,
}

/// A configuration as the image specification wants it: platform and the digests of the unpacked layers.
#[derive(Serialize)]
struct ImageConfig {
    architecture: &'static str,
    os: &'static str,
    config: Empty,
    rootfs: RootFs,
}

#[derive(Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: [String; 1],
}

/// What the Wasm image specification says of a module's runtime.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModuleConfig {
    #[serde(rename = "type")]
    kind: &'static str,
    abi_versions: [&'static str; 1],
    config: Empty,
}

#[derive(Serialize)]
struct Empty {}

impl Image {
    /// The image of a module. The same module gives the same bytes: there is no time and no user in it.
    ///
    /// # Errors
    /// Compression fails, which it does not in memory.
    pub fn of(module: &Bytes, layout: Layout) -> io::Result<Self> {
        match layout {
            Layout::Compat => Self::compat(module),
            Layout::Artifact => Self::artifact(module),
        }
    }

    fn compat(module: &Bytes) -> io::Result<Self> {
        let archive = archive(module)?;
        let layer = Blob::new(compress(&archive)?);
        let config = Blob::json(&ImageConfig {
            architecture: "wasm",
            os: "wasi",
            config: Empty {},
            rootfs: RootFs {
                kind: "layers",
                diff_ids: [digest(&archive)],
            },
        })?;
        let layers = vec![layer.descriptor(IMAGE_LAYER)];
        // By this the specification tells the layout from an image that is no module.
        let annotations = BTreeMap::from([("module.wasm.image/variant", "compat")]);
        Self::new(
            &config.descriptor(IMAGE_CONFIG),
            layers,
            annotations,
            vec![config, layer],
        )
    }

    fn artifact(module: &Bytes) -> io::Result<Self> {
        let layer = Blob::new(module.clone());
        let config = Blob::json(&ModuleConfig {
            kind: "envoy_proxy",
            abi_versions: ["0.2.1"],
            config: Empty {},
        })?;
        let titled = |blob: &Blob, media_type, title| Descriptor {
            annotations: BTreeMap::from([(TITLE, title)]),
            ..blob.descriptor(media_type)
        };
        // The description is a layer too, because the fetchers want exactly two; and it is the configuration, by
        // whose type registries tell artifacts apart.
        let layers = vec![
            titled(&config, MODULE_CONFIG, "runtime-config.json"),
            titled(&layer, MODULE_LAYER, FILE_NAME),
        ];
        Self::new(
            &config.descriptor(MODULE_CONFIG),
            layers,
            BTreeMap::new(),
            vec![config, layer],
        )
    }

    fn new(
        config: &Descriptor,
        layers: Vec<Descriptor>,
        annotations: BTreeMap<&'static str, &'static str>,
        blobs: Vec<Blob>,
    ) -> io::Result<Self> {
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            config: config.clone(),
            layers,
            annotations,
        };
        let Blob { digest, bytes } = Blob::json(&manifest)?;
        Ok(Self {
            blobs,
            manifest: bytes,
            digest,
        })
    }
}

impl Blob {
    fn new(bytes: Bytes) -> Self {
        Self {
            digest: digest(&bytes),
            bytes,
        }
    }

    fn json(value: &impl Serialize) -> io::Result<Self> {
        Ok(Self::new(serde_json::to_vec(value)?.into()))
    }

    fn descriptor(&self, media_type: &'static str) -> Descriptor {
        Descriptor {
            media_type,
            digest: self.digest.clone(),
            size: self.bytes.len(),
            annotations: BTreeMap::new(),
        }
    }
}

/// A tar archive with the module as its only file, of nobody and of no time.
fn archive(module: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(module.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, FILE_NAME, module)?;
    archive.into_inner()
}

fn compress(bytes: &[u8]) -> io::Result<Bytes> {
    // 255: an unknown operating system (RFC 1952), so that the same bytes come out everywhere.
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::best());
    io::Write::write_all(&mut encoder, bytes)?;
    Ok(encoder.finish()?.into())
}

/// `sha256:…`
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hexadecimal(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    fn image(layout: Layout) -> (Image, Value) {
        let image = Image::of(&Bytes::from_static(MODULE), layout).unwrap();
        let manifest = serde_json::from_slice(&image.manifest).unwrap();
        (image, manifest)
    }

    #[test]
    fn a_compat_image_has_one_layer_whose_unpacked_digest_stands_in_its_configuration() {
        let (image, manifest) = image(Layout::Compat);
        assert_eq!(manifest["config"]["mediaType"], IMAGE_CONFIG);
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
        assert_eq!(manifest["layers"][0]["mediaType"], IMAGE_LAYER);
        assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
        let config: Value = serde_json::from_slice(&image.blobs[0].bytes).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&archive(MODULE).unwrap()));
    }

    #[test]
    fn an_artifact_has_two_layers_as_the_fetchers_want_and_the_module_unchanged() {
        let (image, manifest) = image(Layout::Artifact);
        assert_eq!(manifest["config"]["mediaType"], MODULE_CONFIG);
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
        assert_eq!(manifest["layers"][1]["mediaType"], MODULE_LAYER);
        assert_eq!(manifest["layers"][1]["digest"], digest(MODULE));
        assert_eq!(image.blobs[1].bytes, MODULE);
    }

    #[test]
    fn every_blob_of_the_manifest_is_there_with_its_size() {
        for layout in [Layout::Compat, Layout::Artifact] {
            let (image, manifest) = image(layout);
            let mut descriptors = vec![manifest["config"].clone()];
            descriptors.extend(manifest["layers"].as_array().unwrap().iter().cloned());
            for descriptor in descriptors {
                let blob = image.blobs.iter().find(|blob| descriptor["digest"] == blob.digest);
                assert_eq!(descriptor["size"], blob.expect("the blob").bytes.len());
            }
        }
    }

    #[test]
    fn the_same_module_gives_the_same_bytes_for_ever() {
        // A compressor that packs otherwise changes the first one. That is harmless, and should be known.
        for (layout, expected) in [
            (
                Layout::Compat,
                "sha256:4daa7373d05832d049b842b9759ae3db0c16a2c84ed91107aa89ad52ff360ca6",
            ),
            (
                Layout::Artifact,
                "sha256:a3a53b429266fa7c283946abd7445326ebd1d2032d09cbae88510dbe3949c0fe",
            ),
        ] {
            assert_eq!(image(layout).0.digest, expected, "{layout:?}");
        }
    }
}
