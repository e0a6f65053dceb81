"""The papers that she may carry home: PDFs over HTTP."""
