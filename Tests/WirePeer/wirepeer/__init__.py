"""A second implementation of Shardline's wire protocol, written from Protocols/wire.md alone."""
