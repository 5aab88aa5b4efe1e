"""`python -m quorate` is the command `quorate`."""

from .cli.main import main

if __name__ == "__main__":
    main()
