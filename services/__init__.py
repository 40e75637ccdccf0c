"""The seven services. None imports another; they meet in protos, gRPC and topics."""
