"""What Alibaba Cloud and Volcengine share: instances (ECS) in scaling groups, behind one NAT gateway that SSH enters by."""
