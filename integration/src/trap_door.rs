//! A built module with a way to die: the same bytes, and one callback more, which traps.
//!
//! Modules of ours do not trap, so what a reload costs could not be seen. A request with trailers kills the VM that it
//! is in; all other requests meet the module as it was built.

use anyhow::{anyhow, bail, Context, Result};

/// The callback that the module has not and that a request with trailers calls.
const CALLBACK: &[u8] = b"proxy_on_request_trailers";

const TYPES: u8 = 1;
const IMPORTS: u8 = 2;
const FUNCTIONS: u8 = 3;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;

/// `(context, trailers) -> action`, in the binary format.
const SIGNATURE: &[u8] = &[0x60, 2, 0x7f, 0x7f, 1, 0x7f];
/// A body of 3 bytes: no locals, `unreachable`, `end`.
const BODY: &[u8] = &[3, 0, 0x00, 0x0b];

/// Adds the callback to a module (WebAssembly core, binary format).
///
/// # Errors
/// The bytes are no module of this form, or it has the callback already.
pub fn with_trap_door(module: &[u8]) -> Result<Vec<u8>> {
    let (magic, mut rest) = module.split_at_checked(8).context("no module")?;
    if magic != b"\0asm\x01\0\0\0" {
        bail!("no WebAssembly module");
    }
    if module.windows(CALLBACK.len()).any(|bytes| bytes == CALLBACK) {
        bail!("the module has the callback already");
    }
    let (mut out, mut imported, mut types, mut functions) = (magic.to_vec(), 0, 0, 0);
    while let Some((&id, after)) = rest.split_first() {
        let mut reader = Reader(after);
        let length = reader.number()? as usize;
        let (content, after) = reader.0.split_at_checked(length).context("a section is cut off")?;
        rest = after;
        let mut section = Reader(content);
        let content = match id {
            TYPES => {
                types = section.number()?;
                longer(types, section.0, SIGNATURE)
            }
            IMPORTS => {
                imported = section.imported_functions()?;
                content.to_vec()
            }
            FUNCTIONS => {
                functions = section.number()?;
                longer(functions, section.0, &unsigned(types))
            }
            EXPORTS => {
                let mut export = vec![CALLBACK.len() as u8];
                export.extend_from_slice(CALLBACK);
                export.push(0);
                export.extend(unsigned(imported + functions));
                let exports = section.number()?;
                longer(exports, section.0, &export)
            }
            CODE => {
                let bodies = section.number()?;
                longer(bodies, section.0, BODY)
            }
            _ => content.to_vec(),
        };
        out.push(id);
        out.extend(unsigned(content.len() as u32));
        out.extend(content);
    }
    Ok(out)
}

/// A vector of the binary format with one more entry.
fn longer(count: u32, entries: &[u8], entry: &[u8]) -> Vec<u8> {
    let mut vector = unsigned(count + 1);
    vector.extend_from_slice(entries);
    vector.extend_from_slice(entry);
    vector
}

fn unsigned(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

struct Reader<'m>(&'m [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8> {
        let (&byte, rest) = self.0.split_first().context("a section is cut off")?;
        self.0 = rest;
        Ok(byte)
    }

    fn number(&mut self) -> Result<u32> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(anyhow!("a number of more than 5 bytes"))
    }

    fn name(&mut self) -> Result<()> {
        let length = self.number()? as usize;
        self.0 = self.0.get(length..).context("a name is cut off")?;
        Ok(())
    }

    /// The number of imported functions, which come first among the functions' indices.
    fn imported_functions(&mut self) -> Result<u32> {
        let mut functions = 0;
        for _ in 0..self.number()? {
            self.name()?;
            self.name()?;
            match self.byte()? {
                0 => {
                    self.number()?;
                    functions += 1;
                }
                kind => bail!("an import of kind {kind}: these modules import functions alone"),
            }
        }
        Ok(functions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_shortest_form() {
        assert_eq!(unsigned(0), [0]);
        assert_eq!(unsigned(300), [0xac, 2]);
        assert_eq!(Reader(&unsigned(u32::MAX)).number().unwrap(), u32::MAX);
    }

    #[test]
    fn refuses_what_is_no_module() {
        assert!(with_trap_door(b"\0asm").is_err());
        assert!(with_trap_door(b"not a module at all").is_err());
    }
}
