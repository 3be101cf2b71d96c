//! The functions of Terraform's language that occur around meshes; any other is a finding where it is called.

use hcl::{
    eval::{Context, FuncArgs, FuncDef, ParamType},
    Map, Value,
};

/// Longest text that a function makes, in bytes.
const MAX_TEXT: usize = 64 * 1024;

pub fn declare(context: &mut Context<'_>) {
    let any = || FuncDef::builder().variadic_param(ParamType::Any);
    let functions: [(&str, hcl::eval::Func); 18] = [
        ("coalesce", coalesce),
        ("concat", concat),
        ("format", format),
        ("join", join),
        ("keys", keys),
        ("length", length),
        ("lookup", lookup),
        ("lower", lower),
        ("merge", merge),
        ("replace", replace),
        ("split", split),
        ("tolist", same),
        ("tomap", same),
        ("tonumber", tonumber),
        ("toset", toset),
        ("tostring", tostring),
        ("upper", upper),
        ("values", values),
    ];
    for (name, function) in functions {
        context.declare_func(name, any().build(function));
    }
}

fn wrong<T>(what: &str) -> Result<T, String> {
    Err(format!("expected {what}"))
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => wrong("a text"),
    }
}

fn bounded(text: String) -> Result<Value, String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "the text has {} bytes, at most {MAX_TEXT} are made",
            text.len()
        ));
    }
    Ok(Value::String(text))
}

fn same(args: FuncArgs) -> Result<Value, String> {
    args.into_values()
        .into_iter()
        .next()
        .ok_or_else(|| "expected a value".to_owned())
}

fn coalesce(args: FuncArgs) -> Result<Value, String> {
    let empty = Value::String(String::new());
    let value = args
        .into_values()
        .into_iter()
        .find(|value| *value != Value::Null && *value != empty);
    value.ok_or_else(|| "every value is null".to_owned())
}

fn concat(args: FuncArgs) -> Result<Value, String> {
    let mut all = Vec::new();
    for list in args.into_values() {
        match list {
            Value::Array(items) => all.extend(items),
            _ => return wrong("lists"),
        }
    }
    Ok(Value::Array(all))
}

fn merge(args: FuncArgs) -> Result<Value, String> {
    let mut all = Map::new();
    for map in args.into_values() {
        match map {
            Value::Object(members) => all.extend(members),
            Value::Null => {}
            _ => return wrong("maps"),
        }
    }
    Ok(Value::Object(all))
}

/// `%s`, `%d`, `%v`, `%q` and `%%`; nothing with widths.
fn format(args: FuncArgs) -> Result<Value, String> {
    let mut values = args.into_values().into_iter();
    let Some(Value::String(template)) = values.next() else {
        return wrong("a format");
    };
    let mut made = String::new();
    let mut letters = template.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        let mut next = || values.next().ok_or_else(|| "the format takes more values".to_owned());
        match letters.next() {
            Some('%') => made.push('%'),
            Some('s' | 'd' | 'v') => made.push_str(&text(&next()?)?),
            Some('q') => made.push_str(&format!("{:?}", text(&next()?)?)),
            _ => return Err("only %s, %d, %v, %q and %% are read in a format".to_owned()),
        }
    }
    bounded(made)
}

fn join(args: FuncArgs) -> Result<Value, String> {
    match args.into_values().as_slice() {
        [Value::String(between), Value::Array(items)] => {
            let items = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            bounded(items.join(between))
        }
        _ => wrong("a text and a list"),
    }
}

fn split(args: FuncArgs) -> Result<Value, String> {
    match args.into_values().as_slice() {
        [Value::String(at), Value::String(text)] if !at.is_empty() => {
            Ok(Value::Array(text.split(at.as_str()).map(Value::from).collect()))
        }
        _ => wrong("two texts"),
    }
}

fn replace(args: FuncArgs) -> Result<Value, String> {
    match args.into_values().as_slice() {
        // A search text in slashes is a regular expression.
        [Value::String(text), Value::String(from), Value::String(to)] if !from.is_empty() && !from.starts_with('/') => {
            bounded(text.replace(from.as_str(), to))
        }
        _ => wrong("three texts without regular expressions"),
    }
}

fn lower(args: FuncArgs) -> Result<Value, String> {
    Ok(Value::String(text(&same(args)?)?.to_lowercase()))
}

fn upper(args: FuncArgs) -> Result<Value, String> {
    Ok(Value::String(text(&same(args)?)?.to_uppercase()))
}

fn tostring(args: FuncArgs) -> Result<Value, String> {
    Ok(Value::String(text(&same(args)?)?))
}

fn tonumber(args: FuncArgs) -> Result<Value, String> {
    match same(args)? {
        number @ Value::Number(_) => Ok(number),
        Value::String(text) => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| "expected a number".to_owned()),
        _ => wrong("a number"),
    }
}

fn toset(args: FuncArgs) -> Result<Value, String> {
    let Value::Array(items) = same(args)? else {
        return wrong("a list");
    };
    let mut set: Vec<Value> = Vec::new();
    for item in items {
        if !set.contains(&item) {
            set.push(item);
        }
    }
    Ok(Value::Array(set))
}

fn length(args: FuncArgs) -> Result<Value, String> {
    Ok(Value::from(match same(args)? {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        Value::String(text) => text.chars().count(),
        _ => return wrong("a list, a map or a text"),
    }))
}

fn lookup(args: FuncArgs) -> Result<Value, String> {
    match args.into_values().as_slice() {
        [Value::Object(map), Value::String(key), rest @ ..] => {
            let value = map.get(key).or(rest.first()).cloned();
            value.ok_or_else(|| format!("there is no {key} in the map"))
        }
        _ => wrong("a map and a key"),
    }
}

fn keys(args: FuncArgs) -> Result<Value, String> {
    let Value::Object(members) = same(args)? else {
        return wrong("a map");
    };
    let mut keys: Vec<String> = members.into_iter().map(|(key, _)| key).collect();
    keys.sort();
    Ok(Value::Array(keys.into_iter().map(Value::from).collect()))
}

fn values(args: FuncArgs) -> Result<Value, String> {
    let Value::Object(members) = same(args)? else {
        return wrong("a map");
    };
    let mut members: Vec<(String, Value)> = members.into_iter().collect();
    members.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(Value::Array(members.into_iter().map(|(_, value)| value).collect()))
}
