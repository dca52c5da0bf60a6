"""Oracle Cloud: bare-metal GPU shapes on cluster networks, Lustre, the Bastion service. Importing this loads no SDK."""
