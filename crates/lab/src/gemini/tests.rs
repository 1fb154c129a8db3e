//! The fake as a client sees it, over real sockets.
