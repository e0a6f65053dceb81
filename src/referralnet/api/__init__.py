"""The GraphQL surface: translates, never decides."""
