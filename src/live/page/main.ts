import { findToken, parseFragment, shareToken } from './address.js';
import { find, setText } from './dom.js';
import { LabPage } from './lab-page.js';
import { LabClient } from './lab-sources.js';

/** Opens the page. An address without a token, such as the link of a shop, gets it from another page of this lab. */
async function openPage(): Promise<void> {
  const { token: given, user } = parseFragment(location.hash);
  const token = given === '' ? await findToken(showNoToken) : given;
  const page = new LabPage(new LabClient(token), token);
  shareToken(token, () => page.isConnected);
  page.seek(user);
}

function showNoToken(): void {
  const place = find('#notice', HTMLElement);
  place.hidden = false;
  setText(
    place,
    'This address has no token. Open the address that "holdfast live" printed, with all that follows the #.',
  );
}

void openPage();
