//go:build tools

// Package tools pins the Pulumi CLI, so that it is built from the Go modules that go.sum names.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
