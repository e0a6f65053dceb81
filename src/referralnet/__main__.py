"""`python -m referralnet` is the program `referralnet`."""

from referralnet.cli import main

if __name__ == "__main__":
    main()
