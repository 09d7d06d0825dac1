"""All tests, by what they prove: rules, handlers, edges, contracts, integration, stories, faults, browser."""
