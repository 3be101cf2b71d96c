//! The module in an image of a registry, whoever pushed it.

use std::io::Read;

use anyhow::{anyhow, bail, Context};
use ferromesh_wasm_inspection::SIZE_LIMIT;
use flate2::read::GzDecoder;
use serde::Deserialize;

use super::{file::read_bounded, image};

/// Types of manifests that can hold a module, in the form of an `Accept` header's members.
pub const MANIFESTS: [&str; 2] = [image::MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"];

/// Layers that are the module itself: of the Wasm image specification, of `wasm-to-oci`, and of CNCF's artifacts.
const PLAIN: [&str; 3] = [
    image::MODULE_LAYER,
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/wasm",
];
/// Layers that are an archive with the module in it.
const PACKED: [&str; 2] = [image::IMAGE_LAYER, "application/vnd.docker.image.rootfs.diff.tar.gzip"];

/// Where in a registry a module's bytes are, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `sha256:…` of the layer.
    pub digest: String,
    /// Bytes of the layer.
    pub size: u64,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Packed,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

impl Layer {
    /// Finds the module's layer in a manifest: one that is a module, else the last one if it is an archive.
    ///
    /// # Errors
    /// There is none, or it is bigger than a module may be.
    pub fn of(manifest: &[u8]) -> anyhow::Result<Self> {
        let manifest: Manifest = serde_json::from_slice(manifest).context("the manifest cannot be read")?;
        if !manifest.manifests.is_empty() {
            bail!("it is an index of several images; name one of them by its digest");
        }
        let layer = |descriptor: &Descriptor, form| Self {
            digest: descriptor.digest.clone(),
            size: descriptor.size,
            form,
        };
        let is = |types: &[&str], descriptor: &Descriptor| types.contains(&descriptor.media_type.as_str());
        let plain = manifest.layers.iter().find(|descriptor| is(&PLAIN, descriptor));
        let packed = manifest.layers.last().filter(|descriptor| is(&PACKED, descriptor));
        let found = plain
            .map(|descriptor| layer(descriptor, Form::Plain))
            .or_else(|| packed.map(|descriptor| layer(descriptor, Form::Packed)))
            .ok_or_else(|| {
                let types: Vec<_> = manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
                anyhow!("it holds no wasm module: its layers are [{}]", types.join(", "))
            })?;
        if found.size > SIZE_LIMIT as u64 {
            bail!("its layer has {} bytes, and a module at most {SIZE_LIMIT}", found.size);
        }
        Ok(found)
    }

    /// The module in the layer's bytes.
    ///
    /// # Errors
    /// The archive is broken, has no `plugin.wasm`, or unpacks to more than a module may have.
    pub fn module(&self, bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        match self.form {
            Form::Plain => Ok(bytes),
            Form::Packed => unpack(&bytes).context("its layer"),
        }
    }
}

fn unpack(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    // Bounded before the archive is walked: entries in front of the module count too.
    let limit = 2 * SIZE_LIMIT as u64;
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(limit));
    for entry in archive.entries().context("no tar archive")? {
        let entry = entry.context("no tar archive, or one of more than 16 MiB")?;
        let is_module = entry
            .path()
            .is_ok_and(|path| path.file_name().is_some_and(|name| name == image::FILE_NAME));
        if is_module && entry.header().entry_type().is_file() {
            let size = entry.size();
            let module = read_bounded(entry)?;
            if module.len() as u64 != size {
                bail!("{} ends early", image::FILE_NAME);
            }
            return Ok(module);
        }
    }
    bail!("there is no {} in the archive", image::FILE_NAME)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{
        super::image::{Image, Layout},
        *,
    };

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    fn error(result: anyhow::Result<impl std::fmt::Debug>) -> String {
        format!("{:#}", result.unwrap_err())
    }

    fn manifest(layers: &[(&str, u64)]) -> Vec<u8> {
        let layer = |(media_type, size): &(&str, u64)| serde_json::json!({"mediaType": media_type, "size": size, "digest": "sha256:00"});
        let layers: Vec<_> = layers.iter().map(layer).collect();
        serde_json::json!({"schemaVersion": 2, "layers": layers})
            .to_string()
            .into()
    }

    #[test]
    fn finds_what_both_layouts_hold() {
        for layout in [Layout::Compat, Layout::Artifact] {
            let image = Image::of(&Bytes::from_static(MODULE), layout).unwrap();
            let layer = Layer::of(&image.manifest).unwrap();
            let blob = image.blobs.iter().find(|blob| blob.digest == layer.digest).unwrap();
            assert_eq!(layer.size, blob.bytes.len() as u64);
            assert_eq!(layer.module(blob.bytes.to_vec()).unwrap(), MODULE, "{layout:?}");
        }
    }

    #[test]
    fn refuses_images_without_a_module_and_says_what_they_hold() {
        assert!(error(Layer::of(b"<html>")).contains("cannot be read"));
        assert!(error(Layer::of(br#"{"manifests":[{}]}"#)).contains("index of several images"));
        let text = error(Layer::of(&manifest(&[("text/plain", 1), ("image/png", 1)])));
        assert!(text.contains("[text/plain, image/png]"), "{text}");
        let text = error(Layer::of(&manifest(&[(image::MODULE_LAYER, 9 << 20)])));
        assert!(text.contains("9437184 bytes, and a module at most 8388608"), "{text}");
    }

    #[test]
    fn refuses_broken_archives_and_such_as_unpack_to_too_much() {
        let layer = Layer::of(&manifest(&[(image::IMAGE_LAYER, 1)])).unwrap();
        assert!(error(layer.module(MODULE.to_vec())).contains("its layer"));
        let packed = |name: &str, size: usize| {
            let mut header = tar::Header::new_ustar();
            header.set_size(size as u64);
            header.set_mode(0o644);
            let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let mut archive = tar::Builder::new(encoder);
            archive
                .append_data(&mut header, name, std::io::repeat(0).take(size as u64))
                .unwrap();
            archive.into_inner().unwrap().finish().unwrap()
        };
        assert!(error(layer.module(packed("other.wasm", 1))).contains("no plugin.wasm"));
        let text = error(layer.module(packed("plugin.wasm", SIZE_LIMIT + 1)));
        assert!(text.contains("more than 8388608 bytes"), "{text}");
        assert!(error(layer.module(packed("a", 3 * SIZE_LIMIT))).contains("more than 16 MiB"));
        assert_eq!(layer.module(packed("a/plugin.wasm", 3)).unwrap(), [0; 3]);
    }
}
