//! How each format spells the members of the service model's shapes.

use ferromesh_model::shapes::{Member, Shape, Type};

/// A format's way of writing members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As on the wire: `awsCloudMap`.
    Wire,
    /// CloudFormation: `AWSCloudMap`.
    CloudFormation,
    /// The custom resource definitions: as on the wire, but `certificateARN`.
    Kubernetes,
    /// Terraform: `aws_cloud_map`, and a list of blocks in the singular.
    Terraform,
}

impl Spelling {
    /// The member as this format writes it.
    pub fn of(self, member: &Member) -> String {
        match self {
            Self::Wire => member.name.to_owned(),
            Self::CloudFormation => capitals(member.name),
            Self::Kubernetes => match member.name {
                "certificateArn" => "certificateARN".to_owned(),
                "certificateAuthorityArns" => "certificateAuthorityARNs".to_owned(),
                name => name.to_owned(),
            },
            Self::Terraform => {
                let name = snake(member.name);
                match name.strip_suffix('s') {
                    Some(singular) if is_list_of_blocks(member.shape) && member.name != "attributes" => {
                        singular.to_owned()
                    }
                    _ => name,
                }
            }
        }
    }

    /// The member that `name` means among `members`, and whether it is spelled as the format has it.
    pub fn find<'m>(self, members: &'m [Member], name: &str) -> Option<(&'m Member, bool)> {
        if let Some(member) = members.iter().find(|member| self.of(member) == name) {
            return Some((member, true));
        }
        let plain = |text: &str| text.replace('_', "").to_ascii_lowercase();
        let asked = plain(name);
        let near = |member: &&Member| plain(&self.of(member)) == asked;
        members.iter().find(near).map(|member| (member, false))
    }
}

fn is_list_of_blocks(shape: &Shape) -> bool {
    let Type::List { member, .. } = shape.ty else {
        return false;
    };
    matches!(member.ty, Type::Structure(_) | Type::Union(_))
}

/// CloudFormation capitalises the first letter, and these words altogether; the list is the difference between
/// `aws-cdk-lib`'s own property names and the template's, over all its App Mesh types.
fn capitals(name: &str) -> String {
    match name {
        "acm" | "dns" | "grpc" | "http" | "http2" | "sds" | "tcp" | "tls" => name.to_ascii_uppercase(),
        "awsCloudMap" => "AWSCloudMap".to_owned(),
        _ => {
            let mut letters = name.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use ferromesh_model::shapes;

    use super::*;

    fn members(shape: &str) -> &'static [Member] {
        match &shapes::shape(shape).unwrap().ty {
            Type::Structure(members) | Type::Union(members) => members,
            other => panic!("{shape} is {other:?}"),
        }
    }

    fn spelled(spelling: Spelling, shape: &str) -> Vec<String> {
        members(shape).iter().map(|member| spelling.of(member)).collect()
    }

    #[test]
    fn every_format_has_its_own_names() {
        assert_eq!(
            spelled(Spelling::CloudFormation, "ServiceDiscovery"),
            ["AWSCloudMap", "DNS"]
        );
        assert_eq!(
            spelled(Spelling::CloudFormation, "RouteSpec")[..2],
            ["GrpcRoute", "Http2Route"]
        );
        assert_eq!(
            spelled(Spelling::CloudFormation, "ListenerTimeout"),
            ["GRPC", "HTTP", "HTTP2", "TCP"]
        );
        assert_eq!(
            spelled(Spelling::Kubernetes, "ListenerTlsAcmCertificate"),
            ["certificateARN"]
        );
        assert_eq!(
            spelled(Spelling::Terraform, "VirtualNodeSpec"),
            [
                "backend_defaults",
                "backend",
                "listener",
                "logging",
                "service_discovery"
            ]
        );
        assert_eq!(
            spelled(Spelling::Terraform, "AwsCloudMapServiceDiscovery")[..3],
            ["attributes", "ip_preference", "namespace_name"]
        );
        assert!(spelled(Spelling::Terraform, "HttpRetryPolicy").contains(&"http_retry_events".to_owned()));
    }

    #[test]
    fn no_two_members_are_spelled_alike() {
        for shape in shapes::shapes() {
            let (Type::Structure(members) | Type::Union(members)) = &shape.ty else {
                continue;
            };
            for spelling in [Spelling::CloudFormation, Spelling::Kubernetes, Spelling::Terraform] {
                for (index, member) in members.iter().enumerate() {
                    let name = spelling.of(member).to_ascii_lowercase();
                    let other = members[..index]
                        .iter()
                        .find(|other| spelling.of(other).to_ascii_lowercase() == name);
                    assert!(other.is_none(), "{} {name}", shape.name);
                }
            }
        }
    }

    #[test]
    fn another_case_is_found_and_told_apart() {
        let members = members("ServiceDiscovery");
        let found = |name| {
            Spelling::CloudFormation
                .find(members, name)
                .map(|(member, exact)| (member.name, exact))
        };
        assert_eq!(found("DNS"), Some(("dns", true)));
        assert_eq!(found("Dns"), Some(("dns", false)));
        assert_eq!(found("Mdns"), None);
    }
}
