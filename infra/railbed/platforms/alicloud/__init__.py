"""Alibaba Cloud: Lingjun nodes in an eflo cluster, ECS bare-metal GPU instances with eRDMA, CPFS."""
