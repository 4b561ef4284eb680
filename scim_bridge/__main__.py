"""`python -m scim_bridge`: the scim-bridge command."""

from scim_bridge.cli import main

if __name__ == "__main__":
    main()
