"""Pages for people: one self-contained HTML file each, with plots inside, printable as PDF."""
