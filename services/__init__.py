"""What answers requests: releases in, recommendations with reasons out, over HTTP."""
