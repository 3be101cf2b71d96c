# The mesh of shop.json for Terraform.
variable "domain" {
  type    = string
  default = "shop.local"
}

variable "weights" {
  default = { "cart" = 90, "cart-2" = 10 }
}

locals {
  tags = { team = "web" }
}

data "aws_acm_certificate" "unused" {
  domain = "unused"
}

resource "aws_appmesh_mesh" "shop" {
  name = "shop"
  tags = local.tags
  spec {
    egress_filter {
      type = "ALLOW_ALL"
    }
    service_discovery {
      ip_preference = "IPv4_ONLY"
    }
  }
}

resource "aws_appmesh_virtual_node" "stock" {
  name      = "stock"
  mesh_name = aws_appmesh_mesh.shop.id
  tags      = local.tags
  spec {
    listener {
      port_mapping {
        port     = 9000
        protocol = "grpc"
      }
      connection_pool {
        grpc {
          max_requests = 100
        }
      }
    }
    service_discovery {
      dns {
        hostname      = "stock.${var.domain}"
        response_type = "ENDPOINTS"
      }
    }
  }
}

resource "aws_appmesh_virtual_node" "cart" {
  for_each  = var.weights
  name      = each.key
  mesh_name = aws_appmesh_mesh.shop.name
  tags      = merge(local.tags, {})
  spec {
    backend {
      virtual_service {
        virtual_service_name = aws_appmesh_virtual_service.stock.name
        dynamic "client_policy" {
          for_each = each.key == "cart" ? [9000] : []
          content {
            tls {
              enforce = false
              ports   = [client_policy.value]
              validation {
                subject_alternative_names {
                  match {
                    exact = ["stock.${var.domain}"]
                  }
                }
                trust {
                  file {
                    certificate_chain = "/certs/ca.pem"
                  }
                }
              }
            }
          }
        }
      }
    }
    listener {
      port_mapping {
        port     = "8080"
        protocol = "http"
      }
      health_check {
        healthy_threshold   = 2
        interval_millis     = 5000
        path                = "/ping"
        port                = 8080
        protocol            = "http"
        timeout_millis      = 2000
        unhealthy_threshold = 3
      }
      outlier_detection {
        base_ejection_duration {
          unit  = "ms"
          value = 10000
        }
        interval {
          unit  = "ms"
          value = 5000
        }
        max_ejection_percent = 50
        max_server_errors    = 5
      }
      timeout {
        http {
          idle {
            unit  = "ms"
            value = 60000
          }
          per_request {
            unit  = "ms"
            value = 20000
          }
        }
      }
      dynamic "tls" {
        for_each = each.key == "cart" ? { strict = aws_acm_certificate.web.arn } : {}
        content {
          mode = upper(tls.key)
          certificate {
            acm {
              certificate_arn = tls.value
            }
          }
        }
      }
    }
    logging {
      access_log {
        file {
          path = "/dev/stdout"
        }
      }
    }
    service_discovery {
      dns {
        hostname = "${each.key}.${var.domain}"
      }
    }
  }
}

resource "aws_appmesh_virtual_router" "cart" {
  name      = "cart-router"
  mesh_name = aws_appmesh_mesh.shop.id
  tags      = local.tags
  spec {
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
    }
  }
}

resource "aws_appmesh_route" "cart" {
  name                = "Route"
  mesh_name           = aws_appmesh_mesh.shop.id
  virtual_router_name = aws_appmesh_virtual_router.cart.name
  tags                = merge(local.tags, { weight = join("/", [for name, weight in var.weights : weight]) })
  depends_on          = [aws_appmesh_virtual_node.cart]
  spec {
    priority = 10
    http_route {
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.cart["cart"].name
          weight       = var.weights["cart"]
        }
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.cart["cart-2"].name
          weight       = var.weights["cart-2"]
        }
      }
      match {
        header {
          name   = "x-tenant"
          invert = false
          match {
            exact = "a"
          }
        }
        header {
          name   = "x-shard"
          invert = false
          match {
            range {
              start = 0
              end   = 10
            }
          }
        }
        header {
          name   = "x-agent"
          invert = true
          match {
            suffix = "bot"
          }
        }
        method = "GET"
        prefix = "/cart"
        query_parameter {
          name = "debug"
          match {
            exact = "no"
          }
        }
      }
      retry_policy {
        http_retry_events = ["server-error"]
        tcp_retry_events  = ["connection-error"]
        max_retries       = 2
        per_retry_timeout {
          unit  = "ms"
          value = 250
        }
      }
      timeout {
        idle {
          unit  = "ms"
          value = 0
        }
        per_request {
          unit  = "ms"
          value = 30000
        }
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "stock" {
  name      = "stock.${var.domain}"
  mesh_name = aws_appmesh_mesh.shop.id
  spec {
    provider {
      virtual_node {
        virtual_node_name = aws_appmesh_virtual_node.stock.name
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "cart" {
  name      = format("cart.%s", var.domain)
  mesh_name = aws_appmesh_mesh.shop.id
  spec {
    provider {
      virtual_router {
        virtual_router_name = aws_appmesh_virtual_router.cart.name
      }
    }
  }
}

resource "aws_appmesh_virtual_gateway" "ingress" {
  name      = "ingress"
  mesh_name = aws_appmesh_mesh.shop.id
  tags      = local.tags
  spec {
    listener {
      connection_pool {
        http {
          max_connections      = 50
          max_pending_requests = 5
        }
      }
      port_mapping {
        port     = 8088
        protocol = "http"
      }
    }
  }
}

resource "aws_appmesh_gateway_route" "carts" {
  name                 = "carts"
  mesh_name            = aws_appmesh_mesh.shop.id
  virtual_gateway_name = aws_appmesh_virtual_gateway.ingress.name
  tags                 = local.tags
  spec {
    http_route {
      action {
        rewrite {
          hostname {
            default_target_hostname = "DISABLED"
          }
          prefix {
            value = "/"
          }
        }
        target {
          virtual_service {
            virtual_service_name = aws_appmesh_virtual_service.cart.name
          }
        }
      }
      match {
        hostname {
          suffix = ".example.com"
        }
        prefix = "/cart/"
      }
    }
  }
}
