//! A running module: its start, its plugins, its ticks, and what it left behind.

use std::mem;
use std::time::Duration;

use wasmtime::{Linker, Memory, Store, WasmParams, WasmResults};

use crate::config::Config;
use crate::headers::Headers;
use crate::hostcalls;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::module::Module;
use crate::report::{CallReport, Report};
use crate::state::{Context, HttpCall, State};
use crate::stream::Stream;
use crate::trap::{StartError, Trap, TrapKind};
use crate::wasi;

/// A plugin in a VM: one root context with its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plugin(pub(crate) u32);

/// What a test answers to a filter's HTTP call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Headers, with `:status`. None at all: the call failed.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Headers,
}

/// A running module. It dies of the first trap; what it left can still be read.
pub struct Vm {
    store: Store<State>,
    instance: wasmtime::Instance,
    fuel: u64,
    dead: bool,
    last_context: u32,
    plugin: Plugin,
    report: Report,
    last_call: CallReport,
}

impl Vm {
    /// Instantiates the module and starts it with its plugin: `_initialize`, then for the root context
    /// `proxy_on_context_create`, `proxy_on_vm_start` and `proxy_on_configure`, as Envoy does.
    ///
    /// # Errors
    /// When an import is unknown, a callback traps, or one of the two last answers false.
    pub fn start(module: &Module, config: Config) -> Result<Self, StartError> {
        let instantiate = |error: wasmtime::Error| StartError::Instantiate(format!("{error:#}"));
        let engine = module.inner().engine();
        let (fuel, plugin) = (config.fuel, config.plugin.clone());
        let mut store = Store::new(engine, State::new(config));
        store.limiter(|state| &mut state.limits);
        store.set_fuel(fuel).map_err(instantiate)?;
        let mut linker = Linker::new(engine);
        hostcalls::link(&mut linker).map_err(instantiate)?;
        wasi::link(&mut linker).map_err(instantiate)?;
        let instance = linker.instantiate(&mut store, module.inner()).map_err(instantiate)?;
        let memory = instance.get_memory(&mut store, "memory");
        let allocate = ["proxy_on_memory_allocate", "malloc"]
            .into_iter()
            .find_map(|name| instance.get_typed_func(&mut store, name).ok());
        let state = store.data_mut();
        state.memory = memory;
        state.allocate = allocate;
        let mut vm = Self {
            store,
            instance,
            fuel,
            dead: false,
            last_context: 0,
            plugin: Plugin(0),
            report: Report::default(),
            last_call: CallReport::default(),
        };
        if vm.call::<_, ()>("_initialize", 0, ())?.is_none() {
            vm.call::<_, ()>("_start", 0, ())?;
        }
        vm.plugin = vm.add_plugin(plugin)?;
        Ok(vm)
    }

    /// Starts a plugin with another configuration in this VM, as Envoy does when only the configuration
    /// changes: a new root context; streams opened from now on belong to it. The old one stays for its own
    /// streams until [`Vm::retire`].
    ///
    /// # Errors
    /// When a callback traps, or refuses the configuration. Then the plugin before stays in charge.
    pub fn add_plugin(&mut self, configuration: impl AsRef<[u8]>) -> Result<Plugin, StartError> {
        let configuration = configuration.as_ref().to_vec();
        let length = configuration.len() as u32;
        let root = self.create_context(None);
        self.store.data_mut().plugins.insert(root, configuration);
        self.call::<_, ()>("proxy_on_context_create", root, (root, 0))?;
        let vm_length = self.store.data().config.vm.len() as u32;
        if self.call("proxy_on_vm_start", root, (root, vm_length))? == Some(0) {
            self.forget(root);
            return Err(StartError::VmRefused);
        }
        if self.call("proxy_on_configure", root, (root, length))? == Some(0) {
            self.forget(root);
            return Err(StartError::ConfigurationRefused);
        }
        self.plugin = Plugin(root);
        Ok(self.plugin)
    }

    /// Calls `proxy_on_configure` again on a plugin that runs, with another configuration; whether it was
    /// accepted. Envoy does not do this, other hosts do.
    ///
    /// # Errors
    /// When it traps.
    pub fn reconfigure(&mut self, plugin: Plugin, configuration: impl AsRef<[u8]>) -> Result<bool, Trap> {
        let configuration = configuration.as_ref().to_vec();
        let length = configuration.len() as u32;
        let plugins = &mut self.store.data_mut().plugins;
        let before = plugins.insert(plugin.0, configuration);
        let accepted = self.call("proxy_on_configure", plugin.0, (plugin.0, length))? != Some(0u32);
        if let (false, Some(before)) = (accepted, before) {
            self.store.data_mut().plugins.insert(plugin.0, before);
        }
        Ok(accepted)
    }

    /// Ends a plugin, as Envoy does once its last stream has ended: `proxy_on_done`, and if that does not
    /// ask for more time, `proxy_on_delete`.
    ///
    /// # Errors
    /// When a callback traps.
    pub fn retire(&mut self, plugin: Plugin) -> Result<(), Trap> {
        self.finish(plugin.0)
    }

    /// The plugin that new streams belong to.
    pub fn plugin(&self) -> Plugin {
        self.plugin
    }

    /// Opens a stream of the current plugin.
    ///
    /// # Errors
    /// When `proxy_on_context_create` traps.
    pub fn open_stream(&mut self) -> Result<Stream, Trap> {
        let root = self.plugin.0;
        let id = self.create_context(Some(root));
        self.call::<_, ()>("proxy_on_context_create", id, (id, root))?;
        Ok(Stream { id })
    }

    /// Ticks the current plugin, whether or not its period is over: time is the test's.
    ///
    /// # Errors
    /// When it traps.
    pub fn tick(&mut self) -> Result<(), Trap> {
        self.tick_plugin(self.plugin)
    }

    /// Ticks one plugin.
    ///
    /// # Errors
    /// When it traps.
    pub fn tick_plugin(&mut self, plugin: Plugin) -> Result<(), Trap> {
        self.call::<_, ()>("proxy_on_tick", plugin.0, plugin.0)?;
        Ok(())
    }

    /// How often a plugin asked to be ticked.
    pub fn tick_period(&self, plugin: Plugin) -> Option<Duration> {
        self.store.data().contexts.get(&plugin.0)?.tick_period
    }

    /// Takes the HTTP calls that the guest made.
    pub fn take_http_calls(&mut self) -> Vec<HttpCall> {
        mem::take(&mut self.store.data_mut().http_calls)
    }

    /// Answers an HTTP call. An answer to a stream that has ended meanwhile is dropped, as in Envoy.
    ///
    /// # Errors
    /// When `proxy_on_http_call_response` traps.
    pub fn answer_http_call(&mut self, call: &HttpCall, answer: HttpAnswer) -> Result<(), Trap> {
        let state = self.store.data_mut();
        if !state.contexts.contains_key(&call.context) {
            return Ok(());
        }
        let sizes = (
            answer.headers.len() as u32,
            answer.body.len() as u32,
            answer.trailers.len() as u32,
        );
        state.answer = Some(answer);
        let parameters = (call.context, call.token, sizes.0, sizes.1, sizes.2);
        let result = self.call::<_, ()>("proxy_on_http_call_response", call.context, parameters);
        self.store.data_mut().answer = None;
        result.map(|_| ())
    }

    /// All metrics that the guest defined.
    pub fn metrics(&self) -> &Metrics {
        &self.store.data().metrics
    }

    /// All lines that the guest logged, at the configured level or above.
    pub fn logs(&self) -> &[Log] {
        &self.store.data().logs
    }

    /// What the last callback cost.
    pub fn last_call(&self) -> &CallReport {
        &self.last_call
    }

    /// What all callbacks cost since the start or the last reset.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Takes the report, which starts anew.
    pub fn take_report(&mut self) -> Report {
        mem::take(&mut self.report)
    }

    /// The size of the guest's memory, in bytes.
    pub fn memory_size(&self) -> usize {
        self.memory().map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Bytes of the guest's memory, if they are inside of it.
    pub fn memory_at(&self, pointer: usize, length: usize) -> Option<&[u8]> {
        let data = self.memory()?.data(&self.store);
        data.get(pointer..pointer.checked_add(length)?)
    }

    /// Whether a trap has killed it.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    pub(crate) fn state(&self) -> &State {
        self.store.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    fn memory(&self) -> Option<Memory> {
        self.store.data().memory
    }

    fn create_context(&mut self, root: Option<u32>) -> u32 {
        self.last_context += 1;
        let id = self.last_context;
        let context = Context {
            plugin: root.unwrap_or(id),
            stream: root.map(|_| Box::default()),
            tick_period: None,
            pending_done: false,
        };
        self.store.data_mut().contexts.insert(id, context);
        id
    }

    fn forget(&mut self, context: u32) {
        let state = self.store.data_mut();
        state.contexts.remove(&context);
        state.plugins.remove(&context);
    }

    /// `proxy_on_done`, and unless that answers false, `proxy_on_delete`.
    pub(crate) fn finish(&mut self, context: u32) -> Result<(), Trap> {
        if self.call("proxy_on_done", context, context)? == Some(0) {
            if let Some(context) = self.store.data_mut().contexts.get_mut(&context) {
                context.pending_done = true;
            }
            return Ok(());
        }
        self.delete(context)
    }

    /// `proxy_on_delete`; the context is gone afterwards.
    pub(crate) fn delete(&mut self, context: u32) -> Result<(), Trap> {
        self.call::<_, ()>("proxy_on_delete", context, context)?;
        self.forget(context);
        Ok(())
    }

    /// Calls a callback, if the module exports it, with hostcalls acting on `context`.
    pub(crate) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        callback: &'static str,
        context: u32,
        parameters: P,
    ) -> Result<Option<R>, Trap> {
        if self.dead {
            return Err(Trap {
                callback,
                kind: TrapKind::Dead,
            });
        }
        let Some(function) = self.instance.get_func(&mut self.store, callback) else {
            return Ok(None);
        };
        let mismatch = |error: wasmtime::Error| Trap {
            callback,
            kind: TrapKind::Mismatch(format!("{error:#}")),
        };
        let function = function.typed::<P, R>(&self.store).map_err(mismatch)?;
        self.store.set_fuel(self.fuel).map_err(mismatch)?;
        let state = self.store.data_mut();
        state.effective = context;
        state.call = CallReport {
            callback,
            ..CallReport::default()
        };
        let result = function.call(&mut self.store, parameters);
        let left = self.store.get_fuel().map_err(mismatch)?;
        let mut report = mem::take(&mut self.store.data_mut().call);
        report.fuel = self.fuel.saturating_sub(left);
        self.report.add(&report);
        self.last_call = report;
        result.map(Some).map_err(|error| {
            self.dead = true;
            Trap::from_wasmtime(callback, &error)
        })
    }
}
