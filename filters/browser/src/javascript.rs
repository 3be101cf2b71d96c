//! The classes and functions that JavaScript sees. Values cross as JSON text: smaller than a serialiser of
//! JavaScript values, which would come on top of the JSON that the policy reads anyway.

use ferromesh_policy::vectors::Payload;
use serde::de::DeserializeOwned;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::session::Millis;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Bytes: text, or hexadecimal digits for what is not UTF-8. */
export type Bytes = string | { hex: string };
/** Names and values in order; names in lower case. */
export type Headers = [string, Bytes][];
/** A configuration: an object, or the bytes that shall be parsed. */
export type Configuration = object | Bytes;
export interface Mistake { path: string; message: string }
export interface Request {
  /** The Envoy route's name; with `policy` what the route carries in its metadata. */
  route?: string;
  policy?: Configuration;
  /** The peer, `ip:port`. */
  source?: string;
  /** The URI of the peer's certificate. */
  identity?: string;
  headers?: Headers;
}
export interface LocalReply { status: number; headers: Record<string, string> }
export interface Requested {
  headers: Headers;
  action: "continue" | "paused" | { local_reply: LocalReply };
  /** What is wrong with the route's policy, which then is not in effect. */
  mistakes: string[];
}
export interface Response {
  /** Attempts that Envoy made, the first included. */
  attempts?: number;
  cluster?: string;
  grpc_status?: number;
  request_bytes?: number;
  response_bytes?: number;
  headers?: Headers;
}
/** A counter's total or a histogram's samples, by the stat's name. */
export type Metrics = [string, number | number[]][];
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = JSON, catch)]
    fn stringify(value: &JsValue) -> Result<Option<String>, JsValue>;
    #[wasm_bindgen(js_namespace = JSON, catch)]
    fn parse(text: &str) -> Result<JsValue, JsValue>;
}

/// The mistakes of a plugin configuration; none: valid.
#[wasm_bindgen(js_name = checkPlugin, unchecked_return_type = "Mistake[]")]
pub fn check_plugin(
    #[wasm_bindgen(unchecked_param_type = "Configuration")] config: &JsValue,
) -> Result<JsValue, JsValue> {
    to_js(&crate::check_plugin(&from_js::<Payload>(
        "plugin configuration",
        config,
    )?))
}

/// The mistakes of a route's policy; none: valid.
#[wasm_bindgen(js_name = checkRoutePolicy, unchecked_return_type = "Mistake[]")]
pub fn check_route_policy(
    #[wasm_bindgen(unchecked_param_type = "Configuration")] policy: &JsValue,
) -> Result<JsValue, JsValue> {
    to_js(&crate::check_route_policy(&from_js::<Payload>("route policy", policy)?))
}

/// One VM of a filter module. Times are milliseconds since any fixed moment; streams are numbers of the caller's.
#[wasm_bindgen]
pub struct Session(crate::Session);

#[wasm_bindgen]
impl Session {
    /// `module`: `canary`, `retry`, `observability`, or `mesh` for all of them. `unix`: what the wall clock shows at
    /// the time 0, in milliseconds since 1970-01-01 UTC, as `Date.now()` counts; 0 when it is left out.
    #[wasm_bindgen(constructor)]
    pub fn new(module: &str, seed: u64, unix: Option<f64>) -> Result<Session, JsValue> {
        let unix = millis(unix.unwrap_or(0.0))?;
        crate::Session::try_new(module, seed, unix)
            .map(Session)
            .map_err(refused)
    }

    /// A plugin configuration. With mistakes, the one before stays in effect.
    #[wasm_bindgen(unchecked_return_type = "Mistake[]")]
    pub fn configure(
        &mut self,
        at: f64,
        #[wasm_bindgen(unchecked_param_type = "Configuration")] plugin: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let plugin: Payload = from_js("plugin configuration", plugin)?;
        to_js(&self.0.configure(millis(at)?, &plugin))
    }

    /// A stream's request headers.
    #[wasm_bindgen(unchecked_return_type = "Requested")]
    pub fn request(
        &mut self,
        at: f64,
        stream: u32,
        #[wasm_bindgen(unchecked_param_type = "Request")] request: &JsValue,
    ) -> Result<JsValue, JsValue> {
        to_js(&self.0.request(millis(at)?, stream, &from_js("request", request)?))
    }

    /// A stream's response headers: all of them as the next filter would see them.
    #[wasm_bindgen(unchecked_return_type = "Headers")]
    pub fn response(
        &mut self,
        at: f64,
        stream: u32,
        #[wasm_bindgen(unchecked_param_type = "Response")] response: &JsValue,
    ) -> Result<JsValue, JsValue> {
        to_js(&self.0.response(millis(at)?, stream, &from_js("response", response)?))
    }

    /// A stream ended, with a response or without.
    pub fn end(&mut self, at: f64, stream: u32) -> Result<(), JsValue> {
        self.0.end(millis(at)?, stream);
        Ok(())
    }

    /// The time for counters to be written.
    pub fn tick(&mut self, at: f64) -> Result<(), JsValue> {
        self.0.tick(millis(at)?);
        Ok(())
    }

    /// What was written on ticks so far.
    #[wasm_bindgen(unchecked_return_type = "Metrics")]
    pub fn metrics(&mut self) -> Result<JsValue, JsValue> {
        to_js(&self.0.metrics())
    }
}

fn millis(at: f64) -> Result<Millis, JsValue> {
    Millis::try_new(at).map_err(refused)
}

fn from_js<T: DeserializeOwned>(what: &str, value: &JsValue) -> Result<T, JsValue> {
    let text = stringify(value)?.ok_or_else(|| refused(format!("{what}: a value that JSON has no form for")))?;
    serde_json::from_str(&text).map_err(|error| refused(format!("{what}: {error}")))
}

fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let text = serde_json::to_string(value).map_err(|error| refused(error.to_string()))?;
    parse(&text)
}

fn refused(message: String) -> JsValue {
    JsError::new(&message).into()
}
