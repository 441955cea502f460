"""The portal: tenants and the people who sign in; pages and JSON for clients and operators."""
