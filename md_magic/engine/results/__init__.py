"""Results: fetched as frames, Arrow tables or readers, masked, or kept in a result store."""
