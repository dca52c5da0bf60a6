"""Amazon EC2 with EFA: launch templates and Auto Scaling groups, FSx for Lustre, logins through Session Manager."""
