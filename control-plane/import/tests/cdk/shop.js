// The mesh `shop` with CDK's constructs for App Mesh. `synthesise.sh` makes ../files/shop-cdk.template.json from it.
const { App, Duration, Stack, Tags } = require('aws-cdk-lib');
const acm = require('aws-cdk-lib/aws-certificatemanager');
const mesh = require('aws-cdk-lib/aws-appmesh');

const app = new App({ analyticsReporting: false });
const stack = new Stack(app, 'shop-cdk', { synthesizer: new (require('aws-cdk-lib').LegacyStackSynthesizer)() });
const certificate = acm.Certificate.fromCertificateArn(
  stack, 'Certificate', `arn:aws:acm:eu-west-1:${stack.account}:certificate/3d6b2c1e`);

const shop = new mesh.Mesh(stack, 'Mesh', {
  meshName: 'shop',
  egressFilter: mesh.MeshFilterType.ALLOW_ALL,
  serviceDiscovery: { ipPreference: mesh.IpPreference.IPV4_ONLY },
});
Tags.of(shop).add('team', 'web');

const stock = shop.addVirtualNode('Stock', {
  virtualNodeName: 'stock',
  serviceDiscovery: mesh.ServiceDiscovery.dns('stock.shop.local', mesh.DnsResponseType.ENDPOINTS),
  listeners: [mesh.VirtualNodeListener.grpc({ port: 9000, connectionPool: { maxRequests: 100 } })],
});
const stockService = new mesh.VirtualService(stack, 'StockService', {
  virtualServiceName: 'stock.shop.local',
  virtualServiceProvider: mesh.VirtualServiceProvider.virtualNode(stock),
});
const cart = (id, name, version) => shop.addVirtualNode(id, {
  virtualNodeName: name,
  serviceDiscovery: mesh.ServiceDiscovery.dns(`${name}.shop.local`),
  listeners: [mesh.VirtualNodeListener.http({
    port: 8080,
    healthCheck: mesh.HealthCheck.http({
      healthyThreshold: 2, unhealthyThreshold: 3, interval: Duration.seconds(5), timeout: Duration.seconds(2), path: '/ping',
    }),
    timeout: { perRequest: Duration.seconds(20), idle: Duration.minutes(1) },
    outlierDetection: {
      baseEjectionDuration: Duration.seconds(10), interval: Duration.seconds(5), maxEjectionPercent: 50, maxServerErrors: 5,
    },
    ...(version === 1 ? { tls: { mode: mesh.TlsMode.STRICT, certificate: mesh.TlsCertificate.acm(certificate) } } : {}),
  })],
  backends: [mesh.Backend.virtualService(stockService, version === 1 ? {
    tlsClientPolicy: {
      enforce: false,
      ports: [9000],
      validation: {
        trust: mesh.TlsValidationTrust.file('/certs/ca.pem'),
        subjectAlternativeNames: mesh.SubjectAlternativeNames.matchingExactly('stock.shop.local'),
      },
    },
  } : {})],
  accessLog: mesh.AccessLog.fromFilePath('/dev/stdout'),
});
const one = cart('Cart', 'cart', 1);
const two = cart('CartTwo', 'cart-2', 2);

const router = shop.addVirtualRouter('Router', {
  virtualRouterName: 'cart-router',
  listeners: [mesh.VirtualRouterListener.http(8080)],
});
const route = router.addRoute('Route', {
  routeName: 'cart-route',
  routeSpec: mesh.RouteSpec.http({
    priority: 10,
    weightedTargets: [{ virtualNode: one, weight: 90 }, { virtualNode: two, weight: 10 }],
    match: {
      path: mesh.HttpRoutePathMatch.startsWith('/cart'),
      method: mesh.HttpRouteMethod.GET,
      headers: [
        mesh.HeaderMatch.valueIs('x-tenant', 'a'),
        mesh.HeaderMatch.valuesIsInRange('x-shard', 0, 10),
        mesh.HeaderMatch.valueDoesNotEndWith('x-agent', 'bot'),
      ],
      queryParameters: [mesh.QueryParameterMatch.valueIs('debug', 'no')],
    },
    timeout: { perRequest: Duration.seconds(30), idle: Duration.millis(0) },
    retryPolicy: {
      retryAttempts: 2,
      retryTimeout: Duration.millis(250),
      httpRetryEvents: [mesh.HttpRetryEvent.SERVER_ERROR],
      tcpRetryEvents: [mesh.TcpRetryEvent.CONNECTION_ERROR],
    },
  }),
});
Tags.of(route).add('weight', '90/10');
const cartService = new mesh.VirtualService(stack, 'CartService', {
  virtualServiceName: 'cart.shop.local',
  virtualServiceProvider: mesh.VirtualServiceProvider.virtualRouter(router),
});
const gateway = shop.addVirtualGateway('Gateway', {
  virtualGatewayName: 'ingress',
  listeners: [mesh.VirtualGatewayListener.http({ port: 8088, connectionPool: { maxConnections: 50, maxPendingRequests: 5 } })],
});
gateway.addGatewayRoute('GatewayRoute', {
  gatewayRouteName: 'carts',
  routeSpec: mesh.GatewayRouteSpec.http({
    routeTarget: cartService,
    match: {
      path: mesh.HttpGatewayRoutePathMatch.startsWith('/cart/', '/'),
      hostname: mesh.GatewayRouteHostnameMatch.endsWith('.example.com'),
      rewriteRequestHostname: false,
    },
  }),
});
app.synth();
