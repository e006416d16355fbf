"""A page to try the linter in: `fastlstm playground`.

* `starts.py`: programs to begin with; `axes.py`: a tensor's axes as a picture;
* `answers.py`: the one interface, a question in, an answer out, both plain data; nothing else knows the linter;
* `worker.py`, `desk.py`: the same in a process that is ended when a program takes too long;
* `guard.py`, `server.py`: who is served, and what;
* `links.py`: a program in a link;
* `site.py`: the page without a server;
* `page/`: the page itself. It puts its questions through `ask.js` alone, so that another one may answer them.

Nothing of a program is executed, no file is read that a request names, and no network is used but 127.0.0.1.
"""
