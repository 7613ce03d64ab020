"""The HTTP face: app factory, management, OpenAI paths, relay, security, and the process that runs them."""
