// A page of gauges held in a registry of client_golang and served by its handler. Prints where it listens.
//
// Not an exporter: the page is read from the file that is the only argument, one gauge a family.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	gauges := map[string]*prometheus.GaugeVec{}
	help := ""
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "# HELP ") {
			help = strings.SplitN(line, " ", 4)[3]
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndex(line, " ")
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			log.Fatal(err)
		}
		name := line[:strings.Index(line, "{")]
		var names, values []string
		for _, found := range label.FindAllStringSubmatch(line[:end], -1) {
			names = append(names, found[1])
			values = append(values, found[2])
		}
		gauge := gauges[name]
		if gauge == nil {
			gauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, names)
			registry.MustRegister(gauge)
			gauges[name] = gauge
		}
		gauge.WithLabelValues(values...).Set(value)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	log.Fatal(http.Serve(listener, nil))
}
