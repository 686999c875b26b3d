"""python -m analyzer: the command `tcpcap`."""

from analyzer.cli import main

if __name__ == "__main__":
    main()
