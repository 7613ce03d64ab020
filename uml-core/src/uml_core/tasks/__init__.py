"""Built-in tasks: what the gateway's paths take, and how a worker answers them. Registered by the same hook as any."""
