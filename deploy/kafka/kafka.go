// Package kafka holds what it takes to run a real Apache Kafka without Docker:
// a Maven project that names the jars, and the configuration of one node.
// Package internal/devstack starts it; nothing here runs by itself.
//
// It is one node for development and for `make prove-kafka`: no replication, no
// security, listening on 127.0.0.1 only.
package kafka

import (
	_ "embed"
	"strings"
)

// Version of Apache Kafka that [POM] names.
const Version = "4.1.0"

// POM is the Maven project whose runtime dependencies are the server, its
// command-line tools and a logger.
//
//go:embed pom.xml
var POM []byte

//go:embed server.properties
var properties string

// Properties is the server's configuration file for its ports and data folder.
// Paths are written with slashes; a backslash would be an escape.
func Properties(port, controllerPort, data string) string {
	return strings.NewReplacer(
		"{{port}}", port,
		"{{controller_port}}", controllerPort,
		"{{data}}", data,
	).Replace(properties)
}
