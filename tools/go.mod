module railbed/tools

go 1.26

require github.com/pulumi/pulumi/pkg/v3 v3.259.0
