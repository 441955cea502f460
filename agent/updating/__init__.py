"""A newer agent from the provider's portal, believed by the provider's signature alone."""
