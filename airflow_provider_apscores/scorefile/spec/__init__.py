"""What College Board publishes, as data: fields, layouts, code tables, our tables and problem kinds."""
