// Script of a report's page: theme, filter, and a viewer with a before/after slider.
// Runs in a browser, inside a page that may make no request. Without it the page still shows everything.
import { startFilter } from "./filter.ts";
import { startGalleries } from "./gallery.ts";
import { repeatPictures } from "./pictures.ts";
import { startTheme } from "./theme.ts";
import { startViewer } from "./viewer.ts";

repeatPictures();
startTheme();
startFilter();
startGalleries(startViewer());
