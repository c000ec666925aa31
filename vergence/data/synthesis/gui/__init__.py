"""Web pages, icons and episodes on pages: pictures of user interfaces with what the browser knows of them."""
