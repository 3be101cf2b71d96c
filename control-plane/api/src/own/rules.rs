//! What each page of our own API takes.

use super::{access, certificates, identity, modules, registry, rollback, rollouts, shares, Page};
use crate::access::rules::{member, of_mesh};
use crate::access::{Role, Rule, Subject};
use crate::request::Request;

/// What a page takes. Every page is named: a new one does not compile before it is decided what it takes.
pub(crate) fn of_page(page: Page, segments: &[String], request: &Request) -> Rule {
    use Role::{Admin, Operator, Reader};
    let segment = |index: usize| segments.get(index).map_or("", String::as_str);
    match page {
        // Health is asked for by machines without keys and says nothing; modules have their hashes for names and are the
        // same everywhere.
        Page::Live | Page::Ready | Page::Module | Page::OpenApi => Rule::Open,
        Page::Policies => {
            let members = request.query_members().unwrap_or_default();
            of_mesh(Reader, Subject::Policy, members.get("mesh").cloned())
        }
        Page::GetPolicy => Rule::mesh(Reader, Subject::Policy, segment(2)),
        Page::PutPolicy | Page::DeletePolicy | Page::TurnRamp(_) => Rule::mesh(Operator, Subject::Policy, segment(2)),
        Page::Rollback(page) => match page {
            rollback::Page::Show => Rule::mesh(Reader, Subject::Policy, segment(2)),
            rollback::Page::Clear => Rule::mesh(Operator, Subject::Policy, segment(2)),
            // Proxies send these, over the connection that their configuration comes by.
            rollback::Page::Report => Rule::Open,
        },
        Page::Rollouts(page) => match page {
            rollouts::Page::List | rollouts::Page::Events => Rule::somewhere(Reader, Subject::Proxy),
            rollouts::Page::Get => Rule::mesh(Reader, Subject::Proxy, segment(2)),
            rollouts::Page::Pause
            | rollouts::Page::Resume
            | rollouts::Page::Retry
            | rollouts::Page::Skip
            | rollouts::Page::Approve => Rule::mesh(Operator, Subject::Proxy, segment(2)),
            // Proxies send these, over the connection that their configuration comes by.
            rollouts::Page::Report => Rule::Open,
        },
        Page::Explain => of_mesh(Reader, Subject::Explanation, member(request, "mesh")),
        Page::Registry(page) => match page {
            registry::Page::Namespaces
            | registry::Page::GetNamespace
            | registry::Page::Services
            | registry::Page::GetService
            | registry::Page::Instances
            | registry::Page::GetInstance => Rule::server(Reader, Subject::Registry),
            registry::Page::PutNamespace
            | registry::Page::DeleteNamespace
            | registry::Page::PutService
            | registry::Page::DeleteService
            | registry::Page::PutInstance
            | registry::Page::DeleteInstance
            | registry::Page::PutHealth => Rule::server(Operator, Subject::Registry),
        },
        Page::Certificates(page) => match page {
            certificates::Page::List | certificates::Page::Get => Rule::server(Reader, Subject::Certificate),
            certificates::Page::Put | certificates::Page::Delete | certificates::Page::Renew => {
                Rule::server(Admin, Subject::Certificate)
            }
        },
        Page::Shares(page) => match page {
            shares::Page::List => Rule::somewhere(Reader, Subject::Mesh),
            // Others get in by it.
            shares::Page::Put | shares::Page::Delete => Rule::mesh(Admin, Subject::Mesh, segment(2)),
        },
        Page::Access(page) => match page {
            access::Page::Keys
            | access::Page::GetKey
            | access::Page::CreateKey
            | access::Page::DeleteKey
            | access::Page::EnableKey
            | access::Page::DisableKey
            | access::Page::Principals
            | access::Page::GetPrincipal
            | access::Page::PutPrincipal
            | access::Page::DeletePrincipal => Rule::server(Admin, Subject::Key),
        },
        Page::Identity(page) => match page {
            // Lists leave out what the caller may not see, and of another mesh a token is as if it were not there.
            identity::Page::Tokens => Rule::somewhere(Reader, Subject::Identity),
            identity::Page::DeleteToken => Rule::somewhere(Operator, Subject::Identity),
            // Whoever has one gets a proxy's configuration, with the private keys in it.
            identity::Page::CreateToken => {
                let proxy = member(request, "proxy");
                of_mesh(
                    Admin,
                    Subject::Identity,
                    proxy.map(|proxy| identity::mesh_of(&proxy).to_owned()),
                )
            }
            // Proxies have no keys: a join token or the connection's certificate is asked for.
            identity::Page::Issue => Rule::Open,
            identity::Page::Revocations => Rule::server(Reader, Subject::Identity),
            identity::Page::Revoke => match member(request, "proxy") {
                Some(proxy) => Rule::mesh(Operator, Subject::Identity, identity::mesh_of(&proxy)),
                None => Rule::server(Operator, Subject::Identity),
            },
            identity::Page::Restore => match identity::revoked_id(segments) {
                proxy if proxy.contains('/') => Rule::mesh(Operator, Subject::Identity, identity::mesh_of(&proxy)),
                _ => Rule::server(Operator, Subject::Identity),
            },
        },
        Page::Audit => {
            let members = request.query_members().unwrap_or_default();
            match members.get("mesh") {
                Some(mesh) => Rule::mesh(Admin, Subject::Audit, mesh),
                None => Rule::server(Admin, Subject::Audit),
            }
        }
        // It holds everything of everybody.
        Page::Backup => Rule::server(Admin, Subject::Backup),
        // Each of its changes is asked for apart, by its own kind and mesh.
        Page::Changes => Rule::parts(Operator),
        Page::Analyze => {
            let members = request.query_members().unwrap_or_default();
            of_mesh(Reader, Subject::Mesh, members.get("mesh").cloned())
        }
        Page::Proxies => Rule::somewhere(Reader, Subject::Proxy),
        Page::Proxy => Rule::mesh(Reader, Subject::Proxy, mesh_of_proxy(segments)),
        Page::Modules(page) => match page {
            modules::Page::List | modules::Page::Get => Rule::server(Reader, Subject::Module),
            // What is added runs in every proxy that a mesh gives it to.
            modules::Page::Add | modules::Page::Delete => Rule::server(Admin, Subject::Module),
            modules::Page::Choice => Rule::mesh(Reader, Subject::Module, segment(2)),
            modules::Page::Choose | modules::Page::RollBack => Rule::mesh(Operator, Subject::Module, segment(2)),
        },
        Page::Metrics => Rule::server(Reader, Subject::Metrics),
    }
}

/// The mesh in `/v1/proxies/mesh/M/virtualNode/N`, or in an ARN instead of that.
fn mesh_of_proxy(segments: &[String]) -> &str {
    match segments.get(2..) {
        Some([first, mesh, ..]) if first == "mesh" || (first.starts_with("arn:") && first.ends_with(":mesh")) => mesh,
        _ => "",
    }
}
