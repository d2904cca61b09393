-- A small content's sealed bytes stand with it: they are written by one statement, and found by one look-up less.
{contents}
