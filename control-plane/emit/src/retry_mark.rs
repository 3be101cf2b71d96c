//! The mark by which the first hop that retries a request tells later hops not to.
//!
//! It stands in `tracestate`, which applications pass on with the trace. Members of several header lines would be one list
//! too, but many applications read the first line only: so the member is put in front of what is there.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{header_mutation, HeaderMutation};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::common::matching::v3::ExtensionWithMatcher;
use envoy_types::pb::envoy::extensions::filters::common::matcher::action::v3::SkipFilter;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{HeaderMutation as Filter, Mutations};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{http_filter, HttpFilter};
use envoy_types::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig as Extension;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::matcher_list::predicate::{
    single_predicate, MatchType, SinglePredicate,
};
use envoy_types::pb::xds::r#type::matcher::v3::matcher::matcher_list::{FieldMatcher, Predicate};
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{on_match, MatcherList, MatcherType, OnMatch};
use envoy_types::pb::xds::r#type::matcher::v3::{string_matcher, Matcher, StringMatcher};
use ferromesh_ir::route::RETRY_MARK;

use crate::{names, pack};

/// What a route whose requests are retried does to their headers: the mark in front of the members that are there, or alone.
pub fn marked() -> Vec<HeaderValueOption> {
    let (header, mark) = RETRY_MARK;
    let set = |value, action: HeaderAppendAction| HeaderValueOption {
        header: Some(HeaderValue {
            key: header.to_owned(),
            value,
            ..HeaderValue::default()
        }),
        append_action: action.into(),
        ..HeaderValueOption::default()
    };
    vec![
        set(format!("{mark},%REQ({header})%"), HeaderAppendAction::OverwriteIfExists),
        set(mark.to_owned(), HeaderAppendAction::AddIfAbsent),
    ]
}

/// Takes a client's `tracestate` away if the mark is in it, and passes others on. It stands at the edge of the mesh, where
/// the mark would let a client decide about later hops' retries.
pub fn drop_filter() -> HttpFilter {
    let (header, mark) = RETRY_MARK;
    let removal = Filter {
        mutations: Some(Mutations {
            request_mutations: vec![HeaderMutation {
                action: Some(header_mutation::Action::Remove(header.to_owned())),
            }],
            ..Mutations::default()
        }),
        ..Filter::default()
    };
    let config = ExtensionWithMatcher {
        xds_matcher: Some(skip_without(header, mark)),
        extension_config: Some(TypedExtensionConfig {
            name: "envoy.filters.http.header_mutation".into(),
            typed_config: Some(pack::any(&removal)),
        }),
        ..ExtensionWithMatcher::default()
    };
    HttpFilter {
        name: names::DROP_RETRY_MARK.into(),
        config_type: Some(http_filter::ConfigType::TypedConfig(pack::any(&config))),
        ..HttpFilter::default()
    }
}

/// Skips a filter unless `text` is in the header.
fn skip_without(header: &str, text: &str) -> Matcher {
    let input = HttpRequestHeaderMatchInput {
        header_name: header.to_owned(),
    };
    let has = SinglePredicate {
        input: Some(extension("header", pack::any(&input))),
        matcher: Some(single_predicate::Matcher::ValueMatch(StringMatcher {
            match_pattern: Some(string_matcher::MatchPattern::Contains(text.to_owned())),
            ..StringMatcher::default()
        })),
    };
    let predicate = |match_type| Predicate {
        match_type: Some(match_type),
    };
    let has_not = predicate(MatchType::NotMatcher(Box::new(predicate(MatchType::SinglePredicate(
        has,
    )))));
    let skip = OnMatch {
        on_match: Some(on_match::OnMatch::Action(extension("skip", pack::any(&SkipFilter {})))),
        ..OnMatch::default()
    };
    Matcher {
        matcher_type: Some(MatcherType::MatcherList(MatcherList {
            matchers: vec![FieldMatcher {
                predicate: Some(has_not),
                on_match: Some(skip),
            }],
        })),
        ..Matcher::default()
    }
}

fn extension(name: &str, config: envoy_types::pb::google::protobuf::Any) -> Extension {
    Extension {
        name: name.to_owned(),
        typed_config: Some(config),
    }
}
