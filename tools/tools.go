//go:build tools

// Package tools pins the Pulumi engine that `make setup` builds where no official one is installed.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
