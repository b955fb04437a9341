"""What faces can look like: template, population and generators."""
