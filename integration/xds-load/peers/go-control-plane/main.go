// A server over go-control-plane's snapshot cache, to be measured beside Ferromesh's xDS layer.
//
// It serves what integration/xds-load/src/world.rs makes, prints "READY <port>", and obeys the same lines on
// standard input: "<kind> <index> <stamp>". The end of standard input ends it.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	noStamp   = "ferromesh-stamp-0000000000000000000"
	routerURL = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
)

// world holds the resources; a change replaces an element and makes a new slice, so that snapshots stay as they are.
type world struct {
	size, endpointsEach, routes               int
	clusters, endpoints, listeners, tables, x []types.Resource
	versions                                  [5]int
}

func newWorld(clusters, endpointsEach, routes int) *world {
	w := &world{size: clusters, endpointsEach: endpointsEach, routes: routes}
	for i := 0; i < clusters; i++ {
		w.clusters = append(w.clusters, newCluster(i, noStamp))
		w.endpoints = append(w.endpoints, newEndpoints(i, endpointsEach, noStamp))
	}
	w.listeners = []types.Resource{newListener()}
	w.tables = []types.Resource{newTable(routes, noStamp)}
	w.x = []types.Resource{newFilter(noStamp)}
	return w
}

func (w *world) apply(kind string, index int, stamp string) {
	switch kind {
	case "endpoint":
		w.endpoints = append([]types.Resource{}, w.endpoints...)
		w.endpoints[index] = newEndpoints(index, w.endpointsEach, stamp)
		w.versions[1]++
	case "route":
		w.tables = []types.Resource{newTable(w.routes, stamp)}
		w.versions[3]++
	case "extension":
		w.x = []types.Resource{newFilter(stamp)}
		w.versions[4]++
	case "cluster":
		w.clusters = append(append([]types.Resource{}, w.clusters...), newCluster(index, stamp))
		w.endpoints = append(append([]types.Resource{}, w.endpoints...), newEndpoints(index, w.endpointsEach, noStamp))
		w.versions[0]++
		w.versions[1]++
	case "remove":
		w.clusters = without(w.clusters, index)
		w.endpoints = without(w.endpoints, index)
		w.versions[0]++
		w.versions[1]++
	case "all":
		w.clusters, w.endpoints = nil, nil
		for i := 0; i < w.size; i++ {
			w.clusters = append(w.clusters, newCluster(i, stamp))
			w.endpoints = append(w.endpoints, newEndpoints(i, w.endpointsEach, stamp))
		}
		w.tables = []types.Resource{newTable(w.routes, stamp)}
		w.x = []types.Resource{newFilter(stamp)}
		for _, of := range []int{0, 1, 3, 4} {
			w.versions[of]++
		}
	default:
		log.Fatalf("no change of kind %q", kind)
	}
}

// without leaves out what is named after an index.
func without(all []types.Resource, index int) []types.Resource {
	var left []types.Resource
	for _, one := range all {
		if cache.GetResourceName(one) != "c"+strconv.Itoa(index) {
			left = append(left, one)
		}
	}
	return left
}

func (w *world) snapshot() *cache.Snapshot {
	version := func(of int) string { return strconv.Itoa(w.versions[of]) }
	s := &cache.Snapshot{}
	s.Resources[types.Cluster] = cache.NewResources(version(0), w.clusters)
	s.Resources[types.Endpoint] = cache.NewResources(version(1), w.endpoints)
	s.Resources[types.Listener] = cache.NewResources(version(2), w.listeners)
	s.Resources[types.Route] = cache.NewResources(version(3), w.tables)
	s.Resources[types.ExtensionConfig] = cache.NewResources(version(4), w.x)
	return s
}

func main() {
	nodes := flag.Int("nodes", 0, "proxies: n0, n1 ...")
	clusters := flag.Int("clusters", 0, "clusters")
	endpointsEach := flag.Int("endpoints", 5, "endpoints of each cluster")
	routes := flag.Int("routes", 100, "routes of the route table")
	flag.Parse()

	ctx := context.Background()
	snapshots := cache.NewSnapshotCache(false, cache.IDHash{}, nil)
	publish := func(s *cache.Snapshot) {
		for i := 0; i < *nodes; i++ {
			check(snapshots.SetSnapshot(ctx, "n"+strconv.Itoa(i), s))
		}
	}
	w := newWorld(*clusters, *endpointsEach, *routes)
	publish(w.snapshot())

	socket, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	grpcServer := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(ctx, snapshots, nil))
	go func() { check(grpcServer.Serve(socket)) }()
	fmt.Println("READY", socket.Addr().(*net.TCPAddr).Port)

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 {
			log.Fatalf("no change: %q", lines.Text())
		}
		index, err := strconv.Atoi(words[1])
		check(err)
		w.apply(words[0], index, words[2])
		publish(w.snapshot())
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func packed(m proto.Message) *anypb.Any {
	any, err := anypb.New(m)
	check(err)
	return any
}

func address(port int) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address:       "127.0.0.1",
		PortSpecifier: &core.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

func byADS() *core.ConfigSource {
	return &core.ConfigSource{
		ResourceApiVersion:    core.ApiVersion_V3,
		ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
	}
}

func newCluster(index int, stamp string) types.Resource {
	name := "c" + strconv.Itoa(index)
	return &cluster.Cluster{
		Name:                 name,
		AltStatName:          stamp,
		ConnectTimeout:       durationpb.New(time.Second),
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig:     &cluster.Cluster_EdsClusterConfig{EdsConfig: byADS(), ServiceName: name},
	}
}

func newEndpoints(index, count int, stamp string) types.Resource {
	locality := &endpoint.LocalityLbEndpoints{}
	for i := 0; i < count; i++ {
		hostname := ""
		if i == 0 {
			hostname = stamp
		}
		locality.LbEndpoints = append(locality.LbEndpoints, &endpoint.LbEndpoint{
			HostIdentifier: &endpoint.LbEndpoint_Endpoint{
				Endpoint: &endpoint.Endpoint{Address: address(18080 + i), Hostname: hostname},
			},
		})
	}
	return &endpoint.ClusterLoadAssignment{
		ClusterName: "c" + strconv.Itoa(index),
		Endpoints:   []*endpoint.LocalityLbEndpoints{locality},
	}
}

func newListener() types.Resource {
	http := &manager.HttpConnectionManager{
		StatPrefix: "http",
		RouteSpecifier: &manager.HttpConnectionManager_Rds{
			Rds: &manager.Rds{ConfigSource: byADS(), RouteConfigName: "r0"},
		},
		HttpFilters: []*manager.HttpFilter{
			{Name: "x0", ConfigType: &manager.HttpFilter_ConfigDiscovery{ConfigDiscovery: &core.ExtensionConfigSource{
				ConfigSource: byADS(), TypeUrls: []string{routerURL},
			}}},
			{Name: "envoy.filters.http.router", ConfigType: &manager.HttpFilter_TypedConfig{
				TypedConfig: packed(&router.Router{}),
			}},
		},
	}
	return &listener.Listener{
		Name:    "l0",
		Address: address(9000),
		FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listener.Filter_TypedConfig{TypedConfig: packed(http)},
		}}}},
	}
}

func newTable(count int, stamp string) types.Resource {
	host := &route.VirtualHost{Name: "v", Domains: []string{"*"}, ResponseHeadersToAdd: []*core.HeaderValueOption{
		{Header: &core.HeaderValue{Key: "x-version", Value: stamp}},
	}}
	for i := count - 1; i >= 0; i-- {
		prefix := "/"
		if i > 0 {
			prefix = "/c" + strconv.Itoa(i) + "/"
		}
		host.Routes = append(host.Routes, &route.Route{
			Match: &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: prefix}},
			Action: &route.Route_Route{Route: &route.RouteAction{
				ClusterSpecifier: &route.RouteAction_Cluster{Cluster: "c" + strconv.Itoa(i)},
			}},
		})
	}
	return &route.RouteConfiguration{Name: "r0", VirtualHosts: []*route.VirtualHost{host}}
}

// newFilter says what no proxy of this load reads.
func newFilter(stamp string) types.Resource {
	return &core.TypedExtensionConfig{
		Name:        "x0",
		TypedConfig: &anypb.Any{TypeUrl: routerURL, Value: []byte(stamp)},
	}
}
