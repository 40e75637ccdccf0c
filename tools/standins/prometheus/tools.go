//go:build tools

// Package standins names what is compiled, so that it is in the module's list.
package standins

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
